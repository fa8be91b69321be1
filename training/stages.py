"""The stages that train: teacher, labelling, student, sentiment. Each leaves a folder, and is done only once."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from training.batches import Floats
from training.bundle import GraphRunner
from training.distil import load_or_compute, soft_targets, spread_layers
from training.export import export_float, quantise
from training.fit import EpochData, Fit, FitPlan
from training.network import WEIGHTS_FILE, CommentNetwork, keep_layers, load_network, save_network
from training.prepare import EpochMaker, Mixture, choose, targets_of
from training.signals import SIGNAL_INDEX, SIGNALS
from training.sources import Row, check_no_dev_text
from training.workspace import Workspace

log = logging.getLogger(__name__)

_SENTIMENT_EDGE = 0.03  # a review's stars are not all of its tone: labels are pulled in from 0 and 1 by this much


@dataclass(frozen=True)
class Recipe:
    """How to train a network, and on what; the data is only made where there is something to train."""

    plan: FitPlan
    data: Callable[[], EpochData]


def train_teacher(space: Workspace) -> CommentNetwork:
    """Fine-tune the whole encoder on every label there is."""

    def start() -> CommentNetwork:
        return CommentNetwork(space.encoder(), len(SIGNALS))

    def data() -> EpochData:
        check_no_dev_text((row.text for row in space.train), space.rows)
        return EpochMaker(space.train, targets_of(space.train), space.tokenizer, space.plan.teacher_mixture)

    return _trained(space, "teacher", start, Recipe(space.plan.teacher, data))


def distillation_pool(space: Workspace) -> list[Row]:
    """The rows that the teacher labels and the student reads: the same for the same seed."""
    generator = np.random.default_rng([space.plan.seed, 1])
    return [space.train[index] for index in choose(space.train, space.plan.student_pool, generator)]


def label_pool(space: Workspace, teacher: CommentNetwork, pool: list[Row]) -> Floats:
    """The teacher's signal logits for the pool, by its int8 graph, which is the fastest way to them on a CPU."""

    def compute() -> Floats:
        log.info("labelling %d texts with the teacher", len(pool))
        return graph_runner(space, "teacher", teacher).logits([row.text for row in pool], tokens_per_batch=1_024)

    return load_or_compute(space.work / "pool.npz", compute)


def graph_runner(space: Workspace, name: str, network: CommentNetwork, *, int8: bool = True) -> GraphRunner:
    """The network's graph with its signals as outputs, int8 or float, made if it is not there yet."""
    folder = space.work / name
    float_path, int8_path = folder / "float.onnx", folder / "int8.onnx"
    if not int8_path.is_file():
        export_float(network, float_path, max_length=space.plan.max_length)
        quantise(float_path, int8_path)
    path = int8_path if int8 else float_path
    return GraphRunner(path, space.tokenizer, max_length=space.plan.max_length, pad_id=space.pad_id)


def train_student(space: Workspace, teacher: CommentNetwork) -> CommentNetwork:
    """Distil the teacher into a few of its own layers."""

    def data() -> EpochData:
        pool = distillation_pool(space)
        check_no_dev_text((row.text for row in pool), space.rows)
        targets = soft_targets(targets_of(pool), label_pool(space, teacher, pool))
        return EpochMaker(pool, targets, space.tokenizer, Mixture({}, noise_share=space.plan.noise_share))

    layers = spread_layers(teacher.encoder.config.num_hidden_layers, space.plan.student_layers)

    def start() -> CommentNetwork:
        student = CommentNetwork(keep_layers(teacher.encoder, layers), len(SIGNALS))
        student.head.load_state_dict(teacher.head.state_dict())
        return student

    return _trained(space, "student", start, Recipe(space.plan.student, data))


def train_sentiment(space: Workspace, student: CommentNetwork) -> CommentNetwork:
    """Go on from the student with the reviews alone: the second bundle."""

    def data() -> EpochData:
        reviews = [row for row in space.train if "nsmc/positive" in row.targets]
        return EpochMaker(reviews, _review_targets(reviews), space.tokenizer, space.plan.sentiment_mixture)

    def start() -> CommentNetwork:
        copy = CommentNetwork(
            keep_layers(student.encoder, range(student.encoder.config.num_hidden_layers)), len(SIGNALS)
        )
        copy.head.load_state_dict(student.head.state_dict())
        return copy

    return _trained(space, "sentiment", start, Recipe(space.plan.sentiment, data))


def _review_targets(reviews: list[Row]) -> Floats:
    targets = targets_of(reviews)
    column = SIGNAL_INDEX["nsmc/positive"]
    only = np.full_like(targets, np.nan)
    only[:, column] = np.clip(targets[:, column], _SENTIMENT_EDGE, 1 - _SENTIMENT_EDGE)
    return only


def _trained(space: Workspace, name: str, start: Callable[[], CommentNetwork], recipe: Recipe) -> CommentNetwork:
    folder = space.work / name
    if (folder / WEIGHTS_FILE).is_file():
        log.info("%s: already trained, in %s", name, folder)
        return load_network(folder)
    torch.manual_seed(recipe.plan.seed)
    network = Fit(start(), recipe.plan, folder, pad_id=space.pad_id).run(recipe.data())
    save_network(network, folder)
    return network
