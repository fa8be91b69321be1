"""The stages that train: teacher, labelling, student, sentiment. Each leaves a folder, and is done only once."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from tqdm import tqdm

from training.batches import Floats
from training.bundle import GraphRunner
from training.distil import (
    WithFeatures,
    blend_curse,
    distillation_loss,
    feature_network,
    load_or_compute,
    logits_of_features,
    soft_targets,
)
from training.export import export_float
from training.fit import EpochData, Fit, FitPlan
from training.network import WEIGHTS_FILE, CommentNetwork, keep_layers, load_network, save_network
from training.prepare import MADE_UP, EpochMaker, Mixture, choose, targets_of
from training.quantise import quantise
from training.signals import SIGNAL_INDEX, SIGNALS
from training.sources import EVERYDAY, Row, check_no_dev_text
from training.workspace import Workspace

log = logging.getLogger(__name__)

_SENTIMENT_EDGE = 0.03  # a review's stars are not all of its tone: labels are pulled in from 0 and 1 by this much


CERTAIN_SOURCES = (EVERYDAY, *MADE_UP)
"""Their labels hold by the way they were made; no teacher knows better."""
_LABELLED_AT_ONCE = 2_000


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
    """The teacher's features for the pool, half precision, by its int8 graph, the fastest way to them on a CPU."""

    def compute() -> Floats:
        log.info("labelling %d texts with the teacher", len(pool))
        runner = graph_runner(space, "teacher-features", feature_network(teacher))
        parts = np.array_split(np.arange(len(pool)), max(len(pool) // _LABELLED_AT_ONCE, 1))
        features = [runner.logits([pool[row].text for row in part], tokens_per_batch=768) for part in tqdm(parts)]
        return np.concatenate(features).astype(np.float16)  # half the size on disk

    return load_or_compute(space.work / "pool.npz", compute)


def graph_runner(space: Workspace, name: str, network: CommentNetwork, *, int8: bool = True) -> GraphRunner:
    """The network's graph with its signals as outputs, int8 or float, made if it is not there yet."""
    folder = space.work / name
    folder.mkdir(parents=True, exist_ok=True)
    float_path, int8_path = folder / "float.onnx", folder / "int8.onnx"
    if not int8_path.is_file():
        export_float(network, float_path, max_length=space.plan.max_length)
        quantise(float_path, int8_path, space.calibration)
    path = int8_path if int8 else float_path
    return GraphRunner(path, space.tokenizer, max_length=space.plan.max_length, pad_id=space.pad_id)


@dataclass(frozen=True)
class Student:
    """A student to distil: the folder it is trained in, its size, and how and on what it is trained."""

    name: str
    layers: int
    plan: FitPlan
    mixture: Mixture


def train_student(space: Workspace, teacher: CommentNetwork, wanted: Student | None = None) -> CommentNetwork:
    """Distil the teacher into its own first layers: the student of the space's plan, or another."""
    plan = space.plan
    wanted = wanted or Student("student", plan.student_layers, plan.student, plan.student_mixture)
    folder = space.work / wanted.name
    if (folder / WEIGHTS_FILE).is_file():
        log.info("%s: already trained, in %s", wanted.name, folder)
        return load_network(folder)
    pool = distillation_pool(space)
    check_no_dev_text((row.text for row in pool), space.rows)
    features = label_pool(space, teacher, pool).astype(np.float32)
    certain = np.array([row.source in CERTAIN_SOURCES for row in pool], dtype=np.float32)
    taught = blend_curse(logits_of_features(teacher, features), features, [row.source for row in pool])
    signals = soft_targets(targets_of(pool), taught, certain)
    data = EpochMaker(pool, np.hstack([signals, features]), space.tokenizer, wanted.mixture)
    torch.manual_seed(wanted.plan.seed)
    student = first_layers(teacher, wanted.layers)
    fit = Fit(WithFeatures(student), wanted.plan, folder, pad_id=space.pad_id)
    spread = torch.from_numpy(features.std(axis=0) + 1e-3).to(wanted.plan.device)
    fit.loss = distillation_loss(len(SIGNALS), spread)
    fit.run(data)
    save_network(student, folder)
    return student.eval()


def first_layers(network: CommentNetwork, layers: int) -> CommentNetwork:
    """A network that starts as the first layers of another, with its head (Sajjad et al., 2020: drop from the top)."""
    smaller = CommentNetwork(keep_layers(network.encoder, range(layers)), network.head.out_features)
    smaller.head.load_state_dict(network.head.state_dict())
    return smaller


def train_sentiment(space: Workspace, student: CommentNetwork) -> CommentNetwork:
    """Go on from the student with the reviews alone: the second bundle."""

    def data() -> EpochData:
        reviews = [row for row in space.train if "nsmc/positive" in row.targets]
        return EpochMaker(reviews, _review_targets(reviews), space.tokenizer, space.plan.sentiment_mixture)

    def start() -> CommentNetwork:
        return first_layers(student, student.encoder.config.num_hidden_layers)

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
