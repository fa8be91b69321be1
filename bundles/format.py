"""Reads a model bundle, the folder that a worker loads, and checks it against its manifest.

The format is described in `docs/model-bundles.md`; `BundleConfig` is its `config.json`.
"""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from bundles.windows import LARGEST_OVERLAP, OVERLAP
from shared.errors import BundleInvalidError
from shared.options import LEVELS

FORMAT_VERSION = 1
MODEL_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"
CONFIG_FILE = "config.json"
MANIFEST_FILE = "manifest.json"
CARD_FILE = "README.md"
# Outputs of the graph: `[batch, labels]`, and, where it has one, `[batch, length, labels]`, what each token adds.
LOGITS_OUTPUT = "logits"
EVIDENCE_OUTPUT = "evidence"
_READ_BYTES = 1 << 20

T = TypeVar("T")
ProblemType = Literal["single_label_classification", "multi_label_classification"]
# A logit of the graph, and the logit of the score that it stands for.
Knot = tuple[float, float]


class BundleConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`config.json` of a bundle; `docs/model-bundles.md` explains each field."""

    format_version: int
    name: str
    problem_type: ProblemType
    labels: list[str]
    max_length: int
    pad_token_id: int
    window_overlap: float = OVERLAP
    sentence_discount: float | None = None
    clean_label: str | None = None
    thresholds: dict[str, float] = {}
    strictness: dict[str, dict[str, float]] = {}
    calibration: dict[str, list[Knot]] = {}
    sub_labels: dict[str, list[str]] = {}
    normaliser: str | None = None

    @property
    def all_labels(self) -> list[str]:
        """Every label that a text may be given, with `clean_label`."""
        is_among = self.clean_label is None or self.clean_label in self.labels
        return list(self.labels) if is_among else [str(self.clean_label), *self.labels]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """`manifest.json`: the sha256 of every other file, by name."""

    format_version: int
    files: dict[str, str]


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk whose config was read. `revision` is the first 12 hex digits of its manifest's sha256."""

    path: Path
    config: BundleConfig
    revision: str
    # The same graph as this machine's processor wants it, outside of the bundle: `worker.inference.engines.packed`.
    packed_graph: Path | None = None

    @property
    def model_path(self) -> Path:
        """The ONNX graph."""
        return self.path / MODEL_FILE

    @property
    def graph_bytes(self) -> int:
        """The size of the graph, with the weights that a converted bundle has beside it."""
        return sum(file.stat().st_size for file in self.path.glob(f"{MODEL_FILE}*"))

    @property
    def tokenizer_path(self) -> Path:
        """The `tokenizers` file."""
        return self.path / TOKENIZER_FILE


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file, read in pieces to keep memory small."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            digest.update(block)
    return digest.hexdigest()


def is_whole(path: Path) -> bool:
    """Whether every file that the manifest in folder `path` names is there as it was written."""
    try:
        manifest = _decode((path / MANIFEST_FILE).read_bytes(), Manifest, path / MANIFEST_FILE)
    except (OSError, BundleInvalidError):
        return False
    return not any(_changed_files(path, manifest))


def write_manifest(path: Path) -> Manifest:
    """Hash every file in the bundle folder `path` and write its `manifest.json`."""
    files = {file.name: sha256_of(file) for file in sorted(path.iterdir()) if file.name != MANIFEST_FILE}
    manifest = Manifest(format_version=FORMAT_VERSION, files=files)
    encoded = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    (path / MANIFEST_FILE).write_bytes(encoded + b"\n")
    return manifest


def load_bundle(path: Path) -> Bundle:
    """Read and verify the bundle in folder `path`.

    Raises:
        BundleInvalidError: a file is missing or differs from the manifest, or the config cannot be served.
    """
    manifest_path = path / MANIFEST_FILE
    if not manifest_path.is_file():
        raise BundleInvalidError(f"{path} is not a model bundle: it has no {MANIFEST_FILE}")
    raw_manifest = manifest_path.read_bytes()
    manifest = _decode(raw_manifest, Manifest, manifest_path)
    faults = list(_manifest_faults(path, manifest))
    if faults:
        raise BundleInvalidError(f"the bundle in {path} does not match its manifest: {'; '.join(faults)}")
    config = _decode((path / CONFIG_FILE).read_bytes(), BundleConfig, path / CONFIG_FILE)
    _check_config(config, path)
    return Bundle(path=path, config=config, revision=hashlib.sha256(raw_manifest).hexdigest()[:12])


def _decode(raw: bytes, kind: type[T], path: Path) -> T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.DecodeError as error:
        raise BundleInvalidError(f"{path} cannot be read: {error}") from error


def _manifest_faults(path: Path, manifest: Manifest) -> Iterator[str]:
    for required in (MODEL_FILE, TOKENIZER_FILE, CONFIG_FILE):
        if required not in manifest.files:
            yield f"{required} is not listed"
    yield from _changed_files(path, manifest)


def _changed_files(path: Path, manifest: Manifest) -> Iterator[str]:
    for name, expected in manifest.files.items():
        file = path / name
        if Path(name).name != name:
            yield f"{name!r} is not a plain file name"
        elif not file.is_file():
            yield f"{name} is missing"
        elif sha256_of(file) != expected:
            yield f"{name} was changed or cut short"


def _check_config(config: BundleConfig, path: Path) -> None:
    if config.format_version != FORMAT_VERSION:
        raise BundleInvalidError(
            f"{path / CONFIG_FILE} has format_version {config.format_version}; this version reads {FORMAT_VERSION}"
        )
    faults = [
        *_window_faults(config),
        *_label_faults(config),
        *_strictness_faults(config),
        *_calibration_faults(config),
    ]
    if faults:
        raise BundleInvalidError(f"{path / CONFIG_FILE}: {'; '.join(faults)}")


def _window_faults(config: BundleConfig) -> Iterator[str]:
    # Nearly whole windows in common would be windows without end.
    if not 0 <= config.window_overlap <= LARGEST_OVERLAP:
        yield f"window_overlap is {config.window_overlap}; it is from 0 to {LARGEST_OVERLAP}"
    discount = config.sentence_discount
    if discount is not None:
        if not 0 <= discount < math.inf:
            yield f"sentence_discount is {discount}; it is a number of logits, 0 or more"
        # Of a logit for clean nothing could be taken off: less clean is what it would say.
        if config.problem_type != "multi_label_classification" or config.clean_label in config.labels:
            yield "sentence_discount is for multi-label bundles whose clean_label is none of labels"


def _label_faults(config: BundleConfig) -> Iterator[str]:
    if not config.labels or len(set(config.labels)) != len(config.labels):
        yield "labels must be distinct and at least one"
    if config.problem_type == "multi_label_classification":
        if config.clean_label is None:
            yield "a multi-label bundle needs clean_label"
        elif config.strictness and config.clean_label in config.labels:
            yield "with strictness, clean_label must be none of labels: its score is 1 minus the highest other"
    elif config.strictness or config.calibration:
        yield "strictness and calibration are for multi-label bundles; this one answers its highest label"
    known = set(config.labels)
    named = {
        "thresholds": list(config.thresholds),
        "sub_labels": _flatten(config.sub_labels),
        "calibration": list(config.calibration),
        **{f"strictness {level!r}": list(thresholds) for level, thresholds in config.strictness.items()},
    }
    for owner, names in named.items():
        unknown = sorted(set(names) - known)
        if unknown:
            yield f"{owner} names unknown labels: {', '.join(unknown)}"


def _strictness_faults(config: BundleConfig) -> Iterator[str]:
    unknown = sorted(set(config.strictness) - set(LEVELS))
    if unknown:
        yield f"strictness has unknown levels: {', '.join(unknown)}; the levels are {', '.join(LEVELS)}"
    for level, thresholds in config.strictness.items():
        for label, threshold in thresholds.items():
            # Written so that NaN fails too.
            if not 0 <= threshold <= 1:
                yield f"strictness {level!r} has {threshold} for {label!r}; a threshold is from 0 to 1"


def _calibration_faults(config: BundleConfig) -> Iterator[str]:
    for label, knots in config.calibration.items():
        if len(knots) < 2:
            yield f"calibration of {label!r} needs two knots or more"
        elif not all(map(math.isfinite, _flatten_knots(knots))):
            yield f"calibration of {label!r} has a knot that is not a finite number"
        elif not all(left[0] < right[0] and left[1] < right[1] for left, right in pairwise(knots)):
            yield f"calibration of {label!r} must rise strictly from knot to knot, in both numbers"


def _flatten(sub_labels: dict[str, list[str]]) -> list[str]:
    return [*sub_labels, *(name for names in sub_labels.values() for name in names)]


def _flatten_knots(knots: Sequence[Knot]) -> list[float]:
    return [value for knot in knots for value in knot]
