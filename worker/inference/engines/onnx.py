"""ONNX Runtime on the CPU: the engine that serves."""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from bundles.format import EVIDENCE_OUTPUT, LOGITS_OUTPUT, Bundle
from bundles.session import packed_options, session_options
from shared.errors import BundleInvalidError
from shared.log import get_logger
from worker.inference.engines.protocol import Evidence, Logits

log = get_logger(__name__)

KNOWN_INPUTS = {"input_ids", "attention_mask", "token_type_ids"}


class OnnxEngine:
    """A session over a bundle's graph, for any number of passes at a time, each on `pass_threads` processors.

    Raises:
        BundleInvalidError: the graph cannot be loaded, or needs inputs that a text does not have.
    """

    def __init__(self, bundle: Bundle, pass_threads: int) -> None:
        self._session = _open_session(bundle, pass_threads)
        self._inputs = {value.name for value in self._session.get_inputs()}
        self.has_evidence = any(value.name == EVIDENCE_OUTPUT for value in self._session.get_outputs())
        self._pad_token_id = bundle.config.pad_token_id
        # Without this, ONNX Runtime runs every node of the graph, whoever asks for its outputs.
        self._only_what_is_asked = onnxruntime.RunOptions()
        self._only_what_is_asked.only_execute_path_to_fetches = True
        unknown = sorted(self._inputs - KNOWN_INPUTS)
        if unknown:
            raise BundleInvalidError(
                f"{bundle.model_path} needs inputs that a text does not have: {', '.join(unknown)}"
            )

    def run(self, rows: Sequence[Sequence[int]]) -> Logits:
        """Pad the rows to the longest of them and run them in one pass."""
        logits: Logits = self._run([LOGITS_OUTPUT], rows)[0]
        return logits

    def run_with_evidence(self, rows: Sequence[Sequence[int]]) -> tuple[Logits, list[Evidence]]:
        """One pass for both outputs; the evidence is without what was padded."""
        logits, evidence = self._run([LOGITS_OUTPUT, EVIDENCE_OUTPUT], rows)
        return logits, [of_row[: len(row)] for of_row, row in zip(evidence, rows, strict=True)]

    def _run(self, outputs: list[str], rows: Sequence[Sequence[int]]) -> list[np.ndarray]:
        feeds = pad(rows, self._pad_token_id, self._inputs)
        found: list[np.ndarray] = self._session.run(outputs, feeds, self._only_what_is_asked)
        return found


def pad(rows: Sequence[Sequence[int]], pad_token_id: int, inputs: Collection[str]) -> dict[str, np.ndarray]:
    """Those of `input_ids`, `attention_mask` and `token_type_ids` that are `inputs`: int64 `[len(rows), longest row]`.

    Made of lists: a pass leaves nothing of NumPy's code in the processor's caches, so each further call of it is slow.
    """
    longest = max(map(len, rows))
    lacking = [longest - len(row) for row in rows]
    feeds: dict[str, list[list[int]]] = {}
    if "input_ids" in inputs:
        feeds["input_ids"] = [[*row, *[pad_token_id] * lacks] for row, lacks in zip(rows, lacking, strict=True)]
    if "attention_mask" in inputs:
        feeds["attention_mask"] = [[1] * (longest - lacks) + [0] * lacks for lacks in lacking]
    if "token_type_ids" in inputs:
        feeds["token_type_ids"] = [[0] * longest] * len(rows)
    return {name: np.array(values, dtype=np.int64) for name, values in feeds.items()}


def _open_session(bundle: Bundle, threads: int) -> onnxruntime.InferenceSession:
    if bundle.packed_graph is not None:
        try:
            return _open(bundle.packed_graph, packed_options(threads))
        except Exception as error:  # noqa: BLE001  onnxruntime's own error classes share no public base
            log.warning("packed_graph_unreadable", path=str(bundle.packed_graph), reason=str(error))
    try:
        return _open(bundle.model_path, session_options(threads))
    except Exception as error:  # as above
        raise BundleInvalidError(f"ONNX Runtime cannot load {bundle.model_path}: {error}") from error


def _open(path: Path, options: onnxruntime.SessionOptions) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
