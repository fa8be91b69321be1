"""What rounding costs a checkpoint's weights: `python -m convert.proofs.rounding CHECKPOINT`.

Compares 8 bits, 7 bits, and the scales of `convert.quantise`; counts pairs that a processor without VNNI would cut off.
"""

import sys
from pathlib import Path

import numpy as np
import torch

from convert.bert import FloatArray
from convert.model_source import read_weights
from convert.quantise import quantise_matrix

_MOST_OF_TWO = 128


def compare(checkpoint: Path) -> str:
    """One line on all weight matrices but the embeddings."""
    squares, cut_off, pairs = np.zeros(3), 0, 0
    for name, tensor in read_weights(checkpoint).items():
        if not isinstance(tensor, torch.Tensor) or tensor.ndim != 2 or "embedding" in name:
            continue
        matrix = tensor.to(torch.float32).numpy()
        in_8, in_7 = _rounded(matrix, 127), _rounded(matrix, 63)
        errors = [rounded * step - matrix for rounded, step in (in_8, in_7)]
        squares += [float((error**2).sum()) for error in (*errors, quantise_matrix(matrix).to_float() - matrix)]
        even = matrix.shape[1] // 2 * 2
        sums = in_8[0][:, 0:even:2] + in_8[0][:, 1:even:2]
        cut_off, pairs = cut_off + int((np.abs(sums) > _MOST_OF_TWO).sum()), pairs + sums.size
    in_7, here = np.sqrt(squares[1:] / squares[0])
    return (
        f"rounding error as against 8 bits: 7 bits {in_7:.2f}, here {here:.2f}; of the pairs in 8 bits "
        f"{cut_off / pairs:.1%} could be cut off"
    )


def _rounded(matrix: FloatArray, levels: int) -> tuple[FloatArray, FloatArray]:
    largest = np.abs(matrix).max(axis=1, keepdims=True)
    steps = np.where(largest > 0, largest / np.float32(levels), np.float32(1))
    return np.rint(matrix / steps), steps


if __name__ == "__main__":
    sys.stdout.write(compare(Path(sys.argv[1])) + "\n")
