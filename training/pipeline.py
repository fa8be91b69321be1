"""The whole run, from the labelled files to the bundles and their report."""

import logging
from dataclasses import dataclass
from pathlib import Path

from bundles.format import Bundle, load_bundle
from shared.errors import ModelSourceError
from training.assess import Candidate, assess, calibrated, make_bundle, rows_by_source
from training.cascade import make_cascade, table_of
from training.data.sets import dev_sets, unseen_sets
from training.learn.embedded import encoder_of_bundle
from training.learn.network import CommentNetwork
from training.score.baselines import filter_flags, filter_questions, load_filters
from training.score.card import write_card
from training.score.evaluate import filter_shares
from training.score.findings import BundleFindings, Findings, save_findings
from training.score.report import write_report
from training.ship.cascade import put_into
from training.ship.serving import Taxonomy, taxonomy_of
from training.stages import train_sentiment, train_student
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
    made = [
        (candidate, *_bundled(space, candidate, output.models / candidate.bundle_name))
        for candidate in trained_candidates(space)
    ]
    assessed = [assess(space, candidate, taxonomy, bundle) for candidate, taxonomy, bundle in made]
    findings = _found(space, [*assessed, *_as_they_stand(space, output)])
    save_findings(findings, space.work)
    for _, taxonomy, bundle in made:
        write_card(bundle, taxonomy, findings)
        load_bundle(bundle.path)
    write_report(findings, output.docs)
    return findings


def _as_they_stand(space: Workspace, output: Output) -> list[BundleFindings]:
    """Figures of the bundle of tone where this run does not make it: the report covers it all the same."""
    folder = output.models / "sentiment"
    if "sentiment" in space.plan.bundles or not folder.is_dir():
        return []
    bundle = load_bundle(folder)
    network = CommentNetwork(encoder_of_bundle(bundle), len(bundle.config.labels))
    return [assess(space, Candidate("sentiment", "sentiment", network), taxonomy_of(bundle.config), bundle)]


def trained_candidates(space: Workspace) -> list[Candidate]:
    """The networks to be served, by the plan's bundles."""
    wanted = space.plan.bundles
    candidates = []
    if "default" in wanted:
        candidates.append(Candidate("student", "default", train_student(space)))
    if "sentiment" in wanted:
        candidates.append(Candidate("sentiment", "sentiment", train_sentiment(space)))
    return candidates


def _bundled(space: Workspace, candidate: Candidate, folder: Path) -> tuple[Taxonomy, Bundle]:
    taxonomy = calibrated(space, candidate)
    bundle = make_bundle(space, candidate, taxonomy, folder)
    plan = space.plan.cascade
    if plan is None or taxonomy.clean_label is None:
        return taxonomy, bundle
    try:
        cascade, tallies = make_cascade(bundle, space.rows, plan, space.work / "cascade")
    except ModelSourceError as error:
        log.warning("no cascade: %s", error.message)
        return taxonomy, bundle
    log.info("the cascade:\n%s", table_of(tallies))
    return taxonomy, put_into(bundle, cascade)


def _found(space: Workspace, bundles: list[BundleFindings]) -> Findings:
    sets = [*dev_sets(space.dev), *unseen_sets()]
    said = {name: filter_flags(filter_, sets) for name, filter_ in load_filters().items()}
    return Findings(
        bundles=bundles,
        filters={name: filter_shares(by_set, sets, name) for name, by_set in said.items()},
        filter_questions={name: filter_questions(by_set) for name, by_set in said.items()},
        hashes=space.hashes(),
        rows_by_source=rows_by_source(space.train),
        dev_rows_by_source=rows_by_source(space.dev),
    )
