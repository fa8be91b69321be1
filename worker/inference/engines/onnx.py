"""ONNX Runtime on the CPU: the engine that serves."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from bundles.format import Bundle
from bundles.session import session_options
from shared.errors import BundleInvalidError
from worker.inference.engines.protocol import Logits

KNOWN_INPUTS = {"input_ids", "attention_mask", "token_type_ids"}


class OnnxEngine:
    """A session over a bundle's graph.

    Raises:
        BundleInvalidError: the graph cannot be loaded, or needs inputs that a text does not have.
    """

    def __init__(self, bundle: Bundle, threads: int) -> None:
        self._session = _open_session(bundle.model_path, threads)
        self._inputs = {value.name for value in self._session.get_inputs()}
        self._pad_token_id = bundle.config.pad_token_id
        unknown = sorted(self._inputs - KNOWN_INPUTS)
        if unknown:
            raise BundleInvalidError(
                f"{bundle.model_path} needs inputs that a text does not have: {', '.join(unknown)}"
            )

    def run(self, rows: Sequence[Sequence[int]]) -> Logits:
        """Pad the rows to the longest of them and run them in one pass."""
        feeds = pad(rows, self._pad_token_id)
        logits: Logits = self._session.run(["logits"], {name: feeds[name] for name in self._inputs})[0]
        return logits


def pad(rows: Sequence[Sequence[int]], pad_token_id: int) -> dict[str, np.ndarray]:
    """`input_ids`, `attention_mask` and `token_type_ids`, each int64 `[len(rows), longest row]`."""
    lengths = np.fromiter((len(row) for row in rows), dtype=np.int64, count=len(rows))
    attention_mask = (np.arange(lengths.max()) < lengths[:, None]).astype(np.int64)
    input_ids = np.full(attention_mask.shape, pad_token_id, dtype=np.int64)
    input_ids[attention_mask.astype(bool)] = np.concatenate([np.asarray(row, dtype=np.int64) for row in rows])
    return {
        "input_ids": input_ids,
        "attention_mask": attention_mask,
        "token_type_ids": np.zeros_like(input_ids),
    }


def _open_session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    try:
        return onnxruntime.InferenceSession(str(path), session_options(threads), providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own error classes share no public base
        raise BundleInvalidError(f"ONNX Runtime cannot load {path}: {error}") from error
