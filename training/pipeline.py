"""The whole run, from the labelled files to the bundles and their report."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bundles.format import Bundle, load_bundle
from training.assess import Candidate, assess, calibrated, make_bundle, rows_by_source
from training.learn.network import CommentNetwork
from training.score.baselines import load_filters, score_filter
from training.score.card import write_card
from training.score.findings import BundleFindings, Findings, save_findings
from training.score.report import write_report
from training.ship.calibrate import Dev
from training.ship.serving import Taxonomy
from training.stages import train_sentiment, train_student, train_teacher
from training.workspace import Workspace

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Output:
    """Where the results go: bundles under `models`, the report and its plots under `docs`."""

    models: Path
    docs: Path


def run_pipeline(space: Workspace, output: Output) -> Findings:
    """Prepare, train, distil, calibrate, quantise, evaluate, report. Stages that are done are not done again."""
    space.work.mkdir(parents=True, exist_ok=True)
    teacher = train_teacher(space)
    candidates = list(trained_candidates(space, teacher))
    made = [(candidate, *_bundled(space, candidate, output.models / candidate.bundle_name)) for candidate in candidates]
    findings = _found(space, [assess(space, candidate, taxonomy, bundle) for candidate, taxonomy, bundle in made])
    save_findings(findings, space.work)
    for _, taxonomy, bundle in made:
        write_card(bundle, taxonomy, findings)
        load_bundle(bundle.path)
    write_report(findings, output.docs)
    return findings


def trained_candidates(space: Workspace, teacher: CommentNetwork) -> list[Candidate]:
    """The networks to be served, by the plan's bundles."""
    student = train_student(space, teacher)
    candidates = []
    if "default" in space.plan.bundles:
        candidates.append(Candidate("student", "default", student, teacher))
    if "sentiment" in space.plan.bundles:
        candidates.append(Candidate("sentiment", "sentiment", train_sentiment(space, student), teacher))
    return candidates


def teacher_bundle(space: Workspace, folder: Path) -> Bundle:
    """The teacher itself as a bundle: the most accurate, and several times slower."""
    teacher = train_teacher(space)
    candidate = Candidate("teacher", "default", teacher, teacher)
    return _bundled(space, candidate, folder)[1]


def _bundled(space: Workspace, candidate: Candidate, folder: Path) -> tuple[Taxonomy, Bundle]:
    taxonomy = calibrated(space, candidate.trained_as, candidate.network, candidate.bundle_name)
    return taxonomy, make_bundle(space, candidate, taxonomy, folder)


def _found(space: Workspace, bundles: list[BundleFindings]) -> Findings:
    toxic = [row for row in space.dev if row.source != "nsmc"]
    unscored = Dev(toxic, np.zeros((len(toxic), 0), dtype=np.float32))
    return Findings(
        bundles=bundles,
        baselines={name: score_filter(filter_, unscored) for name, filter_ in load_filters().items()},
        hashes=space.hashes(),
        rows_by_source=rows_by_source(space.train),
        dev_rows_by_source=rows_by_source(space.dev),
    )
