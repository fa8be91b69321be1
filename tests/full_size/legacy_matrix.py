"""Every variant of a checkpoint at KoBERT's size, converted, against torch on 200 texts: `make legacy-full`.

    python -m tests.full_size.legacy_matrix SPIECE COMMENTS.jsonl FOLDER [VARIANT ...]

Prints one line a variant. "float" is how far the graph in float is from torch. "exact" is a quantised checkpoint's own
int8 weights with activations in float: what both torch (activations in 7 bits) and the bundle (8 bits) round from.
"""

import json
import shutil
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import psutil
import torch

from bundles.format import Bundle, sha256_of
from bundles.own_process import Notice, Progress
from bundles.sources.resolver import resolve
from convert.checkpoint import read_tensors
from convert.model_source import BertClassifier
from convert.state_dict import to_weights
from convert.verify import run_graph
from shared.settings import Settings
from tests.support.checkpoints import VARIANTS, bert_classifier, quantised, save
from tests.support.pickles import dumps
from worker.inference.engines.onnx import OnnxEngine
from worker.inference.tokenizer import BundleTokenizer

LABELS = ("clean", "curse", "conflictOfGeneration", "insult", "caricature")
TEXTS = 200
FLOAT_TOLERANCE = 1e-4
PEAK_MIB = 1536
_SAMPLE_S = 0.02


@dataclass
class PeakMemory:
    """The largest memory that any child process had, read from the kernel's own high-water mark."""

    peak_mib: float = 0.0
    stopped: bool = False

    def __enter__(self) -> Self:
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped = True
        self.thread.join()

    def _watch(self) -> None:
        while not self.stopped:
            for child in psutil.Process().children(recursive=True):
                self.peak_mib = max(self.peak_mib, _high_water_mib(child.pid))
            time.sleep(_SAMPLE_S)


def _high_water_mib(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def main(spiece: Path, comments: Path, folder: Path, chosen: list[str]) -> int:
    """Run the matrix; returns the exit code."""
    texts = [json.loads(line)["text"] for line in comments.read_text(encoding="utf-8").splitlines()[:TEXTS]]
    model = bert_classifier(len(LABELS), layers=12, hidden=768, vocabulary=8002)
    print("variant | file MB | float, largest difference | int8: same label, largest score change | s | peak MiB")
    references = References(model)
    return max(_try(variant, references, spiece, texts, folder / "full_size") for variant in chosen or VARIANTS)


class References:
    """Compares with torch, once for all variants whose graphs are the same byte for byte."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self._known: dict[str, tuple[bool, str]] = {}

    def compared(self, variant: str, bundle: Bundle, float_graph: Path, texts: list[str]) -> tuple[bool, str]:
        """Whether the variant is off, and its figures."""
        graphs = sha256_of(bundle.model_path) + sha256_of(float_graph.with_name(f"{float_graph.name}.data"))
        if graphs in self._known:
            off, note = self._known[graphs]
            return off, f"{note} (the same graphs, byte for byte)"
        rows = [windows[0] for windows in BundleTokenizer(bundle, 64).encode(texts)]
        exact, ours = run_graph(float_graph, rows), _bundle_logits(bundle, rows)
        reference = _torch_logits(_reference(variant, self.model), rows)
        off, note = _judge(variant, exact, reference, ours)
        same = int((ours.argmax(axis=1) == reference.argmax(axis=1)).sum())
        moved = np.abs(_softmax(ours) - _softmax(reference)).max()
        self._known[graphs] = off, f"{note} | {same} of {len(rows)}, {moved:.3f}"
        return self._known[graphs]


def _try(variant: str, references: References, spiece: Path, texts: list[str], folder: Path) -> int:
    shutil.rmtree(folder, ignore_errors=True)
    source = _write_source(variant, references.model, spiece, folder / "legacy")
    started = time.monotonic()
    with PeakMemory() as memory:
        bundle = resolve(Settings(model=str(source), cache_dir=folder / "cache"), _silent)
    seconds = time.monotonic() - started
    float_graph = _write_float(source, folder)
    off, note = references.compared(variant, bundle, float_graph, texts)
    size_mb = (source / "textClassifierModel.pt").stat().st_size / 1e6
    print(f"{variant} | {size_mb:.0f} | {note} | {seconds:.1f} | {memory.peak_mib:.0f}", flush=True)
    return int(off or memory.peak_mib > PEAK_MIB)


def _judge(variant: str, exact: np.ndarray, reference: np.ndarray, ours: np.ndarray) -> tuple[bool, str]:
    """Whether the variant is off, and its figure."""
    if "quantised" in variant:
        from_ours, from_torch = np.abs(ours - exact), np.abs(reference - exact)
        note = f"from exact: bundle {from_ours.mean():.4f} mean {from_ours.max():.4f} max, "
        note += f"torch {from_torch.mean():.4f} mean {from_torch.max():.4f} max"
        return bool(from_ours.mean() > from_torch.mean()), note
    difference = float(np.abs(exact - reference).max())
    return difference > FLOAT_TOLERANCE, f"{difference:.1e}"


def _write_source(variant: str, model: Any, spiece: Path, folder: Path) -> Path:
    folder.mkdir(parents=True)
    save(VARIANTS[variant](model), folder / "textClassifierModel.pt")
    (folder / "category.pkl").write_bytes(dumps({label: index for index, label in enumerate(LABELS)}))
    shutil.copy(spiece, folder / "spiece.model")
    return folder


def _reference(variant: str, model: Any) -> Any:
    """The torch model whose answers count for a variant."""
    if "quantised" in variant:
        return quantised(model, per_channel="channel" in variant)
    if variant == "half precision":
        rounded = bert_classifier(len(LABELS), layers=12, hidden=768, vocabulary=8002)
        rounded.load_state_dict({name: tensor.half().float() for name, tensor in model.state_dict().items()})
        return rounded
    return model


def _write_float(source: Path, folder: Path) -> Path:
    path = source / "textClassifierModel.pt"
    return BertClassifier(to_weights(read_tensors(path), path.name)).write_float(folder)


def _bundle_logits(bundle: Bundle, rows: list[list[int]]) -> np.ndarray:
    engine = OnnxEngine(bundle, threads=2)
    return np.concatenate([engine.run([row]) for row in rows])


def _torch_logits(model: Any, rows: list[list[int]]) -> np.ndarray:
    with torch.no_grad():
        return np.concatenate([model(input_ids=torch.tensor([row])).logits.numpy() for row in rows])


def _softmax(logits: np.ndarray) -> np.ndarray:
    exponentials: np.ndarray = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def _silent(_: Progress | Notice) -> None:
    """Nothing: the table is the report."""


if __name__ == "__main__":
    paths = [Path(argument).resolve() for argument in sys.argv[1:4]]
    sys.exit(main(paths[0], paths[1], paths[2], sys.argv[4:]))
