"""From a trained network to a calibrated bundle on disk, and to every figure of its report."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bundles.format import Bundle, sha256_of
from bundles.windows import Windows
from training.data.batches import Floats
from training.data.sets import TextSet, dev_sets, diluted, pleasant_test_sentences, unseen_sets
from training.data.sources import Row
from training.learn.metrics import sigmoid
from training.learn.network import CommentNetwork
from training.score.evaluate import (
    by_name,
    flags,
    flags_by_set,
    found_against_flagged,
    mixture_error,
    question_scores,
    rest_found,
    score_labels,
    share_of,
    source_errors,
)
from training.score.findings import BundleFindings, Verdicts
from training.score.speed import measure_speed
from training.ship.bundle import GraphRunner, config_of, write_bundle
from training.ship.calibrate import Judged, calibrate
from training.ship.evidence import add_evidence, family_texts
from training.ship.export import export_float
from training.ship.quantise import quantise
from training.ship.serving import STANDARD, STRICTNESSES, TAXONOMIES, Taxonomy, served_network
from training.workspace import Workspace, load_or_compute

_SPEED_TEXTS = 2_000
_SPEED_THREADS = 2
_DRIFT_TEXTS = 300
_SIDES = (2, 4, 8)
_CURVE_HARMLESS = "K-MHaS not_hate"
_EXAMPLES = 12


@dataclass(frozen=True)
class Candidate:
    """A network with the taxonomy that it is to serve, under the name of the folder it was trained in."""

    trained_as: str
    bundle_name: str
    network: CommentNetwork


def judged_sets(space: Workspace, name: str, runner: GraphRunner, sets: Sequence[TextSet]) -> list[Judged]:
    """The sets with the graph's logits, kept on disk by graph and texts, since several figures need them."""
    texts = [text for item in sets for text in item.texts]
    logits = _kept_logits(space, name, runner, texts)
    ends = np.cumsum([len(item.rows) for item in sets])
    return [Judged(item, logits[end - len(item.rows) : end]) for item, end in zip(sets, ends, strict=True)]


def _kept_logits(space: Workspace, name: str, runner: GraphRunner, texts: Sequence[str]) -> Floats:
    read = [sha256_of(runner.path), str(runner.windows), *texts]
    digest = hashlib.sha256("\0".join(read).encode(errors="replace")).hexdigest()[:12]
    return load_or_compute(space.work / name / f"logits.{digest}.npz", lambda: runner.logits(texts))


def graphs(space: Workspace, candidate: Candidate) -> tuple[Path, Path]:
    """The served graph, float and int8, made if it is not there."""
    folder = space.work / candidate.trained_as
    folder.mkdir(parents=True, exist_ok=True)
    float_path, int8_path = folder / "float.onnx", folder / "int8.onnx"
    if not int8_path.is_file():
        network = candidate.network  # the sentiment network learns what it serves
        if _kind(candidate) != "sentiment":
            network = served_network(network, TAXONOMIES[_kind(candidate)])
        export_float(network, float_path, max_length=space.plan.max_length)
        quantise(float_path, int8_path, space.calibration(candidate.trained_as))
        add_evidence(
            int8_path, space.runner(int8_path, _windows(space, candidate)), family_texts()[: space.plan.evidence_texts]
        )
    return float_path, int8_path


def _kind(candidate: Candidate) -> str:
    return "sentiment" if candidate.bundle_name == "sentiment" else "default"


def _windows(space: Workspace, candidate: Candidate) -> Windows:
    """How the bundle reads a text: what is worst in it is sought in short windows, its tone in those it was taught."""
    return Windows(space.plan.max_length) if _kind(candidate) == "sentiment" else space.plan.served


def calibrated(space: Workspace, candidate: Candidate) -> Taxonomy:
    """The taxonomy with thresholds and scores chosen on what the int8 graph says, because that is what is served."""
    taxonomy = TAXONOMIES[_kind(candidate)]
    if taxonomy.clean_label is None:
        return taxonomy
    runner = space.runner(graphs(space, candidate)[1], _windows(space, candidate))
    return calibrate(taxonomy, judged_sets(space, candidate.trained_as, runner, dev_sets(space.dev)))


def make_bundle(space: Workspace, candidate: Candidate, taxonomy: Taxonomy, folder: Path) -> Bundle:
    """Write the bundle, with a card that says only where the scores will be."""
    config = config_of(taxonomy, f"kobert-{candidate.bundle_name}", _windows(space, candidate), space.pad_id)
    return write_bundle(folder, config, graphs(space, candidate)[1], space.tokenizer, f"# {config.name}\n")


def assess(space: Workspace, candidate: Candidate, taxonomy: Taxonomy, bundle: Bundle) -> BundleFindings:
    """Every figure of the report for one bundle, measured on the bundle itself where it can be."""
    runner = GraphRunner.of_bundle(bundle)
    config = candidate.network.encoder.config
    return BundleFindings(
        name=candidate.bundle_name,
        layers=config.num_hidden_layers,
        width=config.hidden_size,
        bytes_total=sum(file.stat().st_size for file in bundle.path.iterdir()),
        revision=bundle.revision,
        batch_drift=_batch_drift(runner, space.dev),
        speed=measure_speed(runner, space.comments[:_SPEED_TEXTS], threads=_SPEED_THREADS),
        verdicts=_verdicts(space, candidate, taxonomy) if taxonomy.clean_label else None,
        sentiment={} if taxonomy.clean_label else _sentiment(space, runner, taxonomy),
        buckets=len(candidate.network.wide.table) if candidate.network.wide else 0,
    )


def _verdicts(space: Workspace, candidate: Candidate, taxonomy: Taxonomy) -> Verdicts:
    windows = _windows(space, candidate)
    float_runner, runner = (space.runner(path, windows) for path in graphs(space, candidate))
    sets = [*dev_sets(space.dev), *unseen_sets()]
    judged = judged_sets(space, candidate.trained_as, runner, sets)
    in_float = judged_sets(space, candidate.trained_as, float_runner, sets)
    named = by_name(judged)
    return Verdicts(
        sets=[share_of(found, taxonomy) for found in judged],
        float32={found.texts.name: float(flags(found.logits, taxonomy, STANDARD).mean()) for found in in_float},
        diluted=_diluted(runner, taxonomy, named),
        questions=question_scores(flags_by_set(judged, taxonomy)),
        labels=score_labels(judged, taxonomy),
        thresholds={label.name: dict(label.thresholds) for label in taxonomy.labels},
        calibration_error=mixture_error(judged, taxonomy),
        source_errors=source_errors(judged, taxonomy),
        curves=_curves(judged, taxonomy),
        unlabelled=_unlabelled(space, candidate, runner, taxonomy),
        missed=_examples(judged, taxonomy, bad=True),
        wrongly_flagged=_examples(judged, taxonomy, bad=False),
    )


def _diluted(runner: GraphRunner, taxonomy: Taxonomy, named: dict[str, Judged]) -> dict[int, float]:
    """Of the curses that are found alone, the share found between 2, 4 and 8 pleasant sentences on each side."""
    curses, pleasant = named.get("curse-detection curse"), pleasant_test_sentences()
    if curses is None or not pleasant:
        return {}
    alone = flags(curses.logits, taxonomy, STANDARD)
    surrounded = {side: runner.logits(diluted(curses.texts.texts, pleasant, side)) for side in _SIDES}
    return {side: rest_found(alone, flags(logits, taxonomy, STANDARD)) for side, logits in surrounded.items()}


def _curves(judged: Sequence[Judged], taxonomy: Taxonomy) -> dict[str, list[tuple[float, float]]]:
    harmless = by_name(judged).get(_CURVE_HARMLESS)
    bad = [found for found in judged if found.texts.bad and found.texts.tuned]
    return {found.texts.name: found_against_flagged(harmless, found, taxonomy) for found in bad} if harmless else {}


def _unlabelled(space: Workspace, candidate: Candidate, runner: GraphRunner, taxonomy: Taxonomy) -> dict[str, float]:
    if not space.comments:
        return {}
    logits = _kept_logits(space, candidate.trained_as, runner, space.comments)
    return {level: float(flags(logits, taxonomy, level).mean()) for level in STRICTNESSES}


def _examples(judged: Sequence[Judged], taxonomy: Taxonomy, *, bad: bool) -> list[str]:
    """Texts of the test sets that were decided wrongly."""
    wrong = []
    for found in judged:
        if found.texts.bad == bad and not found.texts.tuned and found.texts.rows[0].source == "tests":
            flagged = flags(found.logits, taxonomy, STANDARD)
            wrong += [text for text, is_flagged in zip(found.texts.texts, flagged, strict=True) if is_flagged != bad]
    return wrong[:: max(len(wrong) // _EXAMPLES, 1)][:_EXAMPLES]


def _batch_drift(runner: GraphRunner, rows: list[Row]) -> float:
    """The most that a score moves when a text is read alone instead of among others."""
    texts = [row.text for row in rows[:_DRIFT_TEXTS]]
    alone = runner.logits(texts, tokens_per_batch=1)
    together = runner.logits(texts)
    return float(np.abs(sigmoid(alone) - sigmoid(together)).max())


def _sentiment(space: Workspace, runner: GraphRunner, taxonomy: Taxonomy) -> dict[str, float]:
    """Accuracy on reviews, and on sentences that are neither."""
    reviews = [row for row in space.dev if "nsmc/positive" in row.targets]
    positive = np.array([row.targets["nsmc/positive"] > 0.5 for row in reviews])
    logits = runner.logits([row.text for row in reviews])
    places = {name: taxonomy.names.index(name) for name in taxonomy.names}
    forced = logits[:, places["positive"]] > logits[:, places["negative"]]
    word = logits.argmax(axis=1)
    right = np.where(positive, word == places["positive"], word == places["negative"])
    neutral = [row.text for row in space.dev if row.source in ("headlines", "square_questions")]
    found = {"NSMC, positive or negative": float((forced == positive).mean()), "NSMC, by the word": float(right.mean())}
    if neutral:
        said = runner.logits(neutral).argmax(axis=1) == places["neutral"]
        found["headlines and questions, neutral"] = float(said.mean())
    return found


def rows_by_source(rows: list[Row]) -> dict[str, int]:
    """How many rows each source gave."""
    return dict(sorted(Counter(row.source for row in rows).items()))
