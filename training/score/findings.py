"""What a run of the pipeline found out, as one record: the report and the cards are written from it alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from training.learn.metrics import Confusion
from training.score.evaluate import LabelScore
from training.score.robustness import Robustness
from training.score.speed import Speed

FINDINGS_FILE = "findings.json"
Curve = Sequence[tuple[float, float, float]]


@dataclass(frozen=True)
class BundleFindings:
    """One bundle: how it was made, how large it is, and its scores beside the teacher's and its own float graph's."""

    name: str
    layers: int
    width: int
    bytes_total: int
    revision: str
    int8: Mapping[str, Confusion]
    float32: Mapping[str, Confusion]
    teacher: Mapping[str, Confusion]
    labels: Sequence[LabelScore]
    curves: Mapping[str, Curve]
    calibration_error: float
    batch_drift: float
    speed: Speed
    everyday_flagged: float | None = None  # share of everyday sentences held out of training
    robustness: Robustness | None = None


@dataclass(frozen=True)
class Findings:
    """All of a run."""

    bundles: Sequence[BundleFindings]
    baselines: Mapping[str, Mapping[str, Confusion]]
    hashes: Mapping[str, str]
    rows_by_source: Mapping[str, int]
    dev_rows_by_source: Mapping[str, int]


def save_findings(findings: Findings, folder: Path) -> Path:
    """Write the record as JSON."""
    path = folder / FINDINGS_FILE
    path.write_bytes(msgspec.json.format(msgspec.json.encode(findings), indent=1))
    return path


def load_findings(folder: Path) -> Findings:
    """Read the record back."""
    return msgspec.json.decode((folder / FINDINGS_FILE).read_bytes(), type=Findings)
