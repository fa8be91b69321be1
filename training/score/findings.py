"""What a run of the pipeline found out, as one record: the report and the cards are written from it alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from training.learn.metrics import Confusion
from training.score.evaluate import LabelScore, SetShare
from training.score.speed import Speed

FINDINGS_FILE = "findings.json"
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Verdicts:
    """What the toxicity bundle says of every set, by the decisions that it ships with."""

    sets: Sequence[SetShare]
    float32: Mapping[str, float]  # share flagged at `standard` by the graph before int8, by set
    diluted: Mapping[int, float]  # found among so many pleasant sentences a side, of the curses found alone
    questions: Mapping[str, Confusion]
    labels: Sequence[LabelScore]
    thresholds: Mapping[str, Mapping[str, float]]  # score from which a label counts, by label and strictness
    calibration_error: float  # of `clean`, over the mixture that looks like use
    source_errors: Mapping[str, float]
    curves: Mapping[str, Points]  # found against flagged, by bad set
    unlabelled: Mapping[str, float]  # share of unlabelled news comments that is flagged, by strictness
    missed: Sequence[str] = ()
    wrongly_flagged: Sequence[str] = ()


@dataclass(frozen=True)
class BundleFindings:
    """One bundle: how it was made, how large and fast it is, and its scores."""

    name: str
    layers: int
    width: int
    bytes_total: int
    revision: str
    batch_drift: float
    speed: Speed
    verdicts: Verdicts | None = None
    sentiment: Mapping[str, float] = field(default_factory=dict)  # accuracies by question
    buckets: int = 0  # of the wide part, where there is one


@dataclass(frozen=True)
class Findings:
    """All of a run."""

    bundles: Sequence[BundleFindings]
    filters: Mapping[str, Sequence[SetShare]]
    filter_questions: Mapping[str, Mapping[str, Confusion]]
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
