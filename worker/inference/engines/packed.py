"""A model's weights as this machine's processor wants them, in a file that all workers of the machine map.

For each matrix product ONNX Runtime lays the weights out anew ("packs" them) in the memory of its own process: 86 MB of
KoBERT's 112. It can also write what it packed to a file (`session.save_external_prepacked_constant_initializers`) and
map it from there. The layout is that of one processor and of one version of the runtime, both of which are in the
folder's name; a bundle is the same for every machine, and has none of it.
"""

import fcntl
import hashlib
import platform
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime

from bundles.format import MODEL_FILE, Bundle, is_whole, write_manifest
from bundles.session import packed_options, session_options
from shared.log import get_logger
from worker.inference.engines.onnx import pad

log = get_logger(__name__)

# A smaller model has little to share: the included one would save 6 MB of a worker's 52.
LARGE_MODEL_BYTES = 48 * 1024 * 1024

_CPU_INFO = Path("/proc/cpuinfo")
# Lines of it that say what the processor can do.
_CPU_LINES = ("vendor_id", "model name", "flags", "Features", "CPU implementer", "CPU part")
_SMALLEST_BYTES = "1024"
_DIGITS = 16
# Rows of several lengths, on which the packed graph must answer as the bundle's does, bit by bit.
_PROBE = [list(range(5, 5 + length)) for length in (3, 12, 24)]


def share_weights(bundle: Bundle, cache_dir: Path, least_bytes: int = LARGE_MODEL_BYTES) -> Bundle:
    """The bundle with weights that other workers of this machine share, made at the first start under `cache_dir`.

    As it is where that saves little, where the folder cannot be written, or where the packed graph answers otherwise.
    """
    processor = _processor()
    if bundle.graph_bytes < least_bytes or processor is None:
        return bundle
    folder = cache_dir / "packed" / f"{bundle.revision}-{processor}"
    try:
        graph = _find_or_make(bundle, folder)
    except Exception as error:  # noqa: BLE001  onnxruntime's own error classes share no public base
        log.warning("weights_not_shared", reason=str(error), folder=str(folder))
        return bundle
    return bundle if graph is None else replace(bundle, packed_graph=graph)


def _processor() -> str | None:
    """A name for all that decides the layout: the processor's features and the runtime; None where it is not known."""
    if not _CPU_INFO.is_file():
        return None
    lines = {line for line in _CPU_INFO.read_text().splitlines() if line.startswith(_CPU_LINES)}
    said = "\n".join([onnxruntime.__version__, platform.machine(), *sorted(lines)])
    return hashlib.sha256(said.encode()).hexdigest()[:_DIGITS] if lines else None


def _find_or_make(bundle: Bundle, folder: Path) -> Path | None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Workers start together: the first one packs, the others wait for it.
    with folder.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_whole(folder):
            partial = folder.with_suffix(".partial")
            for left in (folder, partial):
                shutil.rmtree(left, ignore_errors=True)
            partial.mkdir()
            try:
                if not _make(bundle.model_path, partial / MODEL_FILE):
                    log.warning("weights_not_shared", reason="the packed graph answers otherwise")
                    return None
                write_manifest(partial)
                partial.replace(folder)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    return folder / MODEL_FILE


def _make(graph: Path, packed: Path) -> bool:
    """Write the packed graph; whether it answers as `graph` does."""
    options = session_options(1)
    options.optimized_model_filepath = str(packed)
    for name, value in {
        "session.optimized_model_external_initializers_file_name": f"{packed.name}.data",
        "session.optimized_model_external_initializers_min_size_in_bytes": _SMALLEST_BYTES,
        "session.save_external_prepacked_constant_initializers": "1",
    }.items():
        options.add_session_config_entry(name, value)
    said = _answers(onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"]))
    says = _answers(onnxruntime.InferenceSession(str(packed), packed_options(1), providers=["CPUExecutionProvider"]))
    return all(np.array_equal(one, other) for one, other in zip(said, says, strict=True))


def _answers(session: onnxruntime.InferenceSession) -> list[np.ndarray]:
    names = {value.name for value in session.get_inputs()}
    answers: list[np.ndarray] = session.run(None, pad(_PROBE, 1, names))
    return answers
