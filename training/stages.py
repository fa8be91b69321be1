"""The stages that train: teacher, student, sentiment. Each leaves a folder, and is done only once."""

import copy
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from transformers import BertModel

from bundles.format import load_bundle
from training.data.batches import Floats
from training.data.prepare import EpochMaker, pleasant_sentences, sentiment_rows, targets_of
from training.data.signals import SIGNAL_INDEX, SIGNALS
from training.data.sources import Row, check_no_dev_text
from training.learn.embedded import encoder_of_bundle
from training.learn.fit import Fit, FitPlan, class_loss
from training.learn.metrics import sigmoid
from training.learn.network import WEIGHTS_FILE, CommentNetwork, load_network, save_network
from training.learn.ngrams import opinions
from training.learn.objective import verdict_loss
from training.lessons import Lessons, prepare_lessons
from training.ship.export import export_float
from training.ship.quantise import quantise
from training.ship.serving import SENTIMENT_LABELS
from training.workspace import Workspace, load_or_compute

log = logging.getLogger(__name__)

TEACHER, STUDENT, SENTIMENT = "teacher", "student", "sentiment"
_SENTIMENT_EDGE = 0.03  # a review's stars are not all of its tone: labels are pulled in from 0 and 1 by this much
_OPINION_SHARE = 0.4  # of the n-grams in the target of a review
_POSITIVE = "nsmc/positive"


def _once(space: Workspace, name: str, train: Callable[[Path], CommentNetwork]) -> CommentNetwork:
    """The network that `train` leaves in the folder `name`, trained now if it is not there yet."""
    folder = space.work / name
    if (folder / WEIGHTS_FILE).is_file():
        log.info("%s: already trained, in %s", name, folder)
    else:
        log.info("training %s", name)
        save_network(train(folder), folder)
    return load_network(folder)


def train_teacher(space: Workspace) -> CommentNetwork:
    """Fine-tune the whole base encoder on every label there is."""
    plan = space.plan

    def train(folder: Path) -> CommentNetwork:
        check_no_dev_text((row.text for row in space.train), space.rows)
        pleasant = pleasant_sentences(space.train)
        data = EpochMaker(space.train, targets_of(space.train), space.tokenizer, plan.teacher_mixture, pleasant)
        torch.manual_seed(plan.teacher.seed)
        network = CommentNetwork(space.encoder(), len(SIGNALS), plan.window_tokens)
        return _fit(space, network, folder, data)

    return _once(space, TEACHER, train)


def _fit(space: Workspace, network: CommentNetwork, folder: Path, data: EpochMaker) -> CommentNetwork:
    plan = space.plan.teacher if folder.name == TEACHER else space.plan.student
    fit = Fit(network, plan, folder, pad_id=space.pad_id)
    fit.loss = verdict_loss
    return fit.run(data)


def train_student(space: Workspace) -> CommentNetwork:
    """The average of the plan's students, one a seed and mixture: better than any of them, and no slower.

    Model soups (Wortsman et al., 2022). They start from the encoder of the bundle that shipped before and learn from
    the same teacher, so they end in one valley of the loss, and the mean of their weights lies deeper in it.
    """

    def train(_folder: Path) -> CommentNetwork:
        lessons = teacher_lessons(space)
        numbers = range(len(space.plan.student_mixtures))
        return averaged([_train_one(space, lessons, number) for number in numbers])

    return _once(space, STUDENT, train)


def _train_one(space: Workspace, lessons: Lessons, number: int) -> CommentNetwork:
    plan = replace(space.plan.student, seed=space.plan.student.seed + number)
    data = lessons.epochs(space, space.plan.student_mixtures[number])
    return distil(space, f"{STUDENT}-{number + 1}", first_encoder(space), plan, data)


def distil(space: Workspace, name: str, encoder: BertModel, plan: FitPlan, data: EpochMaker) -> CommentNetwork:
    """A student with this encoder, trained on the lessons in `data`, in the folder `name`."""

    def train(folder: Path) -> CommentNetwork:
        torch.manual_seed(plan.seed)
        network = CommentNetwork(encoder, len(SIGNALS), space.plan.window_tokens)
        fit = Fit(network, plan, folder, pad_id=space.pad_id)
        fit.loss = verdict_loss
        return fit.run(data)

    return _once(space, name, train)


def first_encoder(space: Workspace) -> BertModel:
    """The encoder that students start from: the shipped bundle's, int8 weights as floats again."""
    return encoder_of_bundle(load_bundle(space.start))


def averaged(networks: Sequence[CommentNetwork]) -> CommentNetwork:
    """A network of the mean of the weights of networks of one shape."""
    mean = copy.deepcopy(networks[0])
    states = [network.state_dict() for network in networks]
    mean.load_state_dict({name: torch.stack([state[name] for state in states]).mean(dim=0) for name in states[0]})
    return mean


def teacher_lessons(space: Workspace) -> Lessons:
    """The pool with the word of the teacher's int8 graph, the fastest way to it on a CPU."""
    teacher = train_teacher(space)
    float_path, int8_path = (space.work / f"teacher-signals.{kind}.onnx" for kind in ("float", "int8"))
    if not int8_path.is_file():
        export_float(teacher, float_path, max_length=space.plan.max_length)
        quantise(float_path, int8_path, space.calibration(TEACHER))
    return prepare_lessons(space, space.runner(int8_path))


def train_sentiment(space: Workspace) -> CommentNetwork:
    """Go on from the student's encoder with reviews, and with sentences that are neither for nor against."""
    plan = space.plan

    def train(folder: Path) -> CommentNetwork:
        encoder = train_student(space).encoder
        rows, targets = _sentiment_lessons(space)
        check_no_dev_text((row.text for row in rows), space.rows)
        torch.manual_seed(plan.sentiment.seed)
        fit = Fit(CommentNetwork(encoder, len(SENTIMENT_LABELS)), plan.sentiment, folder, pad_id=space.pad_id)
        fit.loss = class_loss
        return fit.run(EpochMaker(rows, targets, space.tokenizer, plan.sentiment_mixture))

    return _once(space, SENTIMENT, train)


def _sentiment_lessons(space: Workspace) -> tuple[list[Row], Floats]:
    """Rows with targets `[rows, SENTIMENT_LABELS]`.

    A review's is its stars, pulled in from 0 and 1, mixed with what the n-grams of the other reviews say of it.
    """
    reviews = [row for row in space.train if _POSITIVE in row.targets]
    found = load_or_compute(space.work / "opinions-reviews.npz", lambda: opinions(reviews, [_POSITIVE]))[:, 0]
    stars = targets_of(reviews)[:, SIGNAL_INDEX[_POSITIVE]].clip(_SENTIMENT_EDGE, 1 - _SENTIMENT_EDGE)
    second = np.where(np.isnan(found), stars, sigmoid(found))
    positive = (1 - _OPINION_SHARE) * stars + _OPINION_SHARE * second
    of_reviews = np.stack([1 - positive, np.zeros_like(positive), positive], axis=1)
    written = sentiment_rows(space.train)
    of_written = np.eye(len(SENTIMENT_LABELS), dtype=np.float32)[[SENTIMENT_LABELS.index(name) for _, name in written]]
    targets: Floats = np.concatenate([of_reviews, of_written]).astype(np.float32)
    return [*reviews, *(row for row, _ in written)], targets
