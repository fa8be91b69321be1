"""Rounds float weights to int8, each row with a scale of its own, saturating on no processor.

Rounding is symmetric, so zero stays zero and products need no correction. Processors without VNNI (x86-64 before 2019,
and many after) add the products of two neighbouring weights in 16 bits and cut off what does not fit (VPMADDUBSW).
Seven bits for every weight would prevent that at twice the rounding error. Here a row's scale is chosen so that no two
weights of one sign among four neighbours are too large together.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, numpy_helper

_LEVELS = 127
_TOGETHER = 4
# Times 255, the largest activation, it fits 16 bits; less what two weights gain by rounding.
_MOST_OF_TWO = 127
_PRODUCTS = {"MatMulInteger", "QAttention"}
_QUANTISED = "_quantized"
# Rows that are rounded at a time: word embeddings are hundreds of megabytes, and their quotients as many again.
_BLOCK = 1_024

Floats = npt.NDArray[np.float32]


def safe_steps(matrix: Floats) -> Floats:
    """The scale of each row of `matrix` `[rows, columns]`, by which no sum of two products saturates."""
    steps: Floats = np.maximum(largest(matrix) / _LEVELS, _largest_pairs(matrix) / _MOST_OF_TWO)
    return steps


def round_rows(matrix: Floats, steps: Floats) -> tuple[npt.NDArray[np.int8], Floats]:
    """The int8 values of `matrix`, and each row's scale: `steps`, or 1 for a row of zeros."""
    scale = np.where(steps > 0, steps, 1.0).astype(np.float32)
    values = np.empty(matrix.shape, np.int8)
    for start in range(0, len(matrix), _BLOCK):
        rows = slice(start, start + _BLOCK)
        values[rows] = np.rint(matrix[rows] / scale[rows].reshape(-1, 1))
    return values, scale


def refine_weights(model: onnx.ModelProto, floats: onnx.ModelProto) -> None:
    """Round anew what ONNX Runtime's quantiser made 7 bits of the weights of products in the graph `floats`."""
    exact = {constant.name: constant for constant in floats.graph.initializer}
    rounded = {constant.name: constant for constant in model.graph.initializer}
    for name in _weights_of_products(model, exact):
        own = [rounded.get(f"{name}{ending}") for ending in (_QUANTISED, "_scale", "_zero_point")]
        parts = [constant for constant in own if constant is not None]
        columns = numpy_helper.to_array(exact[name])
        if len(parts) == len(own) and columns.ndim == 2 and _is_by_column(parts, columns.shape):
            matrix = np.ascontiguousarray(columns.T)
            values, scale = round_rows(matrix, safe_steps(matrix))
            for constant, value in zip(parts, (values.T, scale, np.zeros(scale.shape, np.int8)), strict=True):
                constant.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(value), constant.name))


def _weights_of_products(model: onnx.ModelProto, exact: Mapping[str, TensorProto]) -> Iterator[str]:
    for node in model.graph.node:
        name = node.input[1].removesuffix(_QUANTISED) if node.op_type in _PRODUCTS else ""
        if name in exact:
            yield name


def _is_by_column(parts: list[TensorProto], shape: tuple[int, ...]) -> bool:
    values, scale, zero_point = parts
    return tuple(values.dims) == shape and list(scale.dims) == list(zero_point.dims) == [shape[1]]


def largest(matrix: Floats) -> Floats:
    """The largest weight of each row, without its sign."""
    found: Floats = np.maximum(matrix.max(axis=1), -matrix.min(axis=1))
    return found


def _largest_pairs(matrix: Floats) -> Floats:
    """By row, the largest sum of two weights of one sign among the four that one instruction takes together."""
    rows, columns = matrix.shape
    padded = np.pad(matrix, ((0, 0), (0, -columns % _TOGETHER)))
    ordered = np.sort(padded.reshape(rows, -1, _TOGETHER), axis=2)
    highest = np.maximum(ordered[:, :, -1], 0) + np.maximum(ordered[:, :, -2], 0)
    lowest = np.maximum(-ordered[:, :, 0], 0) + np.maximum(-ordered[:, :, 1], 0)
    pairs: Floats = np.maximum(highest, lowest).max(axis=1)
    return pairs
