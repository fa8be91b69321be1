"""From a trained network to a calibrated bundle on disk, and to its scores as they are served."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bundles.format import Bundle, sha256_of
from bundles.text.normalise import normalise
from training.data.batches import Floats
from training.data.sources import Row
from training.learn.metrics import Confusion, calibration_curve, calibration_error, sigmoid
from training.learn.network import CommentNetwork
from training.score.evaluate import any_flag, score_labels, score_questions
from training.score.findings import BundleFindings, Curve
from training.score.robustness import INNOCENT, OBFUSCATED, Robustness, measure_robustness
from training.score.speed import measure_speed
from training.ship.bundle import GraphRunner, config_of, write_bundle
from training.ship.calibrate import Dev, calibrate, truth_signals
from training.ship.export import export_float
from training.ship.quantise import quantise
from training.ship.serving import TAXONOMIES, Taxonomy, served_logits, served_network
from training.workspace import Workspace, load_or_compute

_CURVE_BINS = 10
_SPEED_TEXTS = 2_000
_SPEED_THREADS = 2
_DRIFT_TEXTS = 300


@dataclass(frozen=True)
class Candidate:
    """A network with the taxonomy that it is to serve, under the name of the folder it was trained in."""

    trained_as: str
    bundle_name: str
    network: CommentNetwork
    teacher: CommentNetwork


def dev_logits(space: Workspace, name: str, network: CommentNetwork, *, int8: bool) -> Dev:
    """Signal logits of the dev rows, by the graph."""
    return Dev(space.dev, _kept_logits(space, name, space.runner(name, network, int8=int8), space.dev))


def _kept_logits(space: Workspace, name: str, runner: GraphRunner, rows: list[Row]) -> Floats:
    """Logits that several figures need and that take minutes, kept by graph and texts."""
    texts = [normalise(row.text) for row in rows]
    digest = hashlib.sha256("\0".join([sha256_of(runner.path), *texts]).encode(errors="replace")).hexdigest()[:12]
    return load_or_compute(space.work / name / f"logits.{digest}.npz", lambda: runner.logits(texts))


def calibrated(space: Workspace, name: str, network: CommentNetwork, bundle_name: str) -> Taxonomy:
    """The taxonomy calibrated on what the int8 graph says, because that is what is served."""
    everyday = _kept_logits(space, name, space.runner(name, network), space.everyday)
    return calibrate(TAXONOMIES[bundle_name], dev_logits(space, name, network, int8=True), everyday)


def make_bundle(space: Workspace, candidate: Candidate, taxonomy: Taxonomy, folder: Path) -> Bundle:
    """Export, quantise and write the bundle, with a card that says only where the scores will be."""
    network = served_network(candidate.network, taxonomy)
    float_path, int8_path = (space.work / f"{candidate.bundle_name}.{kind}.onnx" for kind in ("float", "int8"))
    export_float(network, float_path, max_length=space.plan.max_length)
    quantise(float_path, int8_path, space.calibration(candidate.trained_as))
    config = config_of(taxonomy, f"kobert-{candidate.bundle_name}", space.plan.max_length, space.pad_id)
    return write_bundle(folder, config, int8_path, space.tokenizer, f"# {config.name}\n")


def assess(space: Workspace, candidate: Candidate, taxonomy: Taxonomy, bundle: Bundle) -> BundleFindings:
    """Every figure of the report for one bundle, measured on the bundle itself where it can be."""
    runner = GraphRunner.of_bundle(bundle)
    served = runner.logits([row.text for row in space.dev])
    dev = Dev(space.dev, served)
    config = candidate.network.encoder.config
    return BundleFindings(
        name=candidate.bundle_name,
        layers=config.num_hidden_layers,
        width=config.hidden_size,
        bytes_total=sum(file.stat().st_size for file in bundle.path.iterdir()),
        revision=bundle.revision,
        int8=score_questions(taxonomy, served, dev),
        float32=_float_scores(space, candidate, taxonomy),
        teacher=_teacher_scores(space, candidate),
        labels=score_labels(taxonomy, served, dev) if taxonomy.clean_label else [],
        curves=_curves(taxonomy, served, dev),
        calibration_error=_answer_calibration_error(taxonomy, served, dev),
        batch_drift=_batch_drift(runner, space.dev),
        speed=measure_speed(runner, _speed_texts(space), threads=_SPEED_THREADS),
        everyday_flagged=_everyday_flagged(space, runner, taxonomy),
        robustness=_robustness(runner, taxonomy),
    )


def _float_scores(space: Workspace, candidate: Candidate, taxonomy: Taxonomy) -> dict[str, Confusion]:
    dev = dev_logits(space, candidate.trained_as, candidate.network, int8=False)
    return score_questions(taxonomy, served_logits(dev.logits, taxonomy), dev)


def _teacher_scores(space: Workspace, candidate: Candidate) -> dict[str, Confusion]:
    dev = dev_logits(space, "teacher", candidate.teacher, int8=True)
    taxonomy = calibrated(space, "teacher", candidate.teacher, candidate.bundle_name)
    return score_questions(taxonomy, served_logits(dev.logits, taxonomy), dev)


def _truth(label: str, dev: Dev) -> tuple[Floats, Floats]:
    signals = ("nsmc/positive",) if label in ("positive", "negative") else truth_signals(label)
    known, truth = dev.truth(*signals)
    return known, (~truth & known if label == "negative" else truth)  # type: ignore[return-value]  # masks


def _probabilities(taxonomy: Taxonomy, served: Floats) -> Floats:
    if taxonomy.clean_label is not None:
        return sigmoid(served)
    return sigmoid(2 * (served - served.mean(axis=1, keepdims=True)))  # softmax over two


def _curves(taxonomy: Taxonomy, served: Floats, dev: Dev) -> dict[str, Curve]:
    probabilities = _probabilities(taxonomy, served)
    curves: dict[str, Curve] = {}
    for index, name in enumerate(taxonomy.names):
        if "/" not in name:
            known, truth = _truth(name, dev)
            curves[name] = calibration_curve(probabilities[known, index], truth[known], _CURVE_BINS)
    return curves


def _answer_calibration_error(taxonomy: Taxonomy, served: Floats, dev: Dev) -> float:
    """Over all labels together: every score of a label whose truth is known, against that truth."""
    probabilities = _probabilities(taxonomy, served)
    scores, truths = [], []
    for index, name in enumerate(taxonomy.names):
        known, truth = _truth(name, dev)
        scores.append(probabilities[known, index])
        truths.append(truth[known])
    return calibration_error(np.concatenate(scores), np.concatenate(truths))


def _batch_drift(runner: GraphRunner, rows: list[Row]) -> float:
    """The most that a score moves when a text is read alone instead of among others (activations share a scale)."""
    texts = [row.text for row in rows[:_DRIFT_TEXTS]]
    alone = runner.logits(texts, tokens_per_batch=1)
    together = runner.logits(texts)
    return float(np.abs(sigmoid(alone) - sigmoid(together)).max())


def _speed_texts(space: Workspace) -> list[str]:
    comments = [row.text for row in space.rows if row.source == "unlabelled_comments"]
    return comments[:_SPEED_TEXTS]


def _everyday_flagged(space: Workspace, runner: GraphRunner, taxonomy: Taxonomy) -> float | None:
    if taxonomy.clean_label is None:
        return None
    return float(any_flag(taxonomy, runner.logits([row.text for row in space.everyday])).mean())


def _robustness(runner: GraphRunner, taxonomy: Taxonomy) -> Robustness | None:
    served_here = taxonomy.clean_label is not None and OBFUSCATED.is_file() and INNOCENT.is_file()
    return measure_robustness(runner, taxonomy) if served_here else None


def rows_by_source(rows: list[Row]) -> dict[str, int]:
    """How many rows each source gave."""
    return dict(sorted(Counter(row.source for row in rows).items()))
