"""The stages that train: teacher, student, sentiment. Each leaves a folder, and is done only once."""

import copy
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from training.data.batches import Floats
from training.data.prepare import HARMLESS, EpochMaker, Mixture, targets_of
from training.data.signals import SIGNAL_INDEX, SIGNALS
from training.data.sources import Row, check_no_dev_text
from training.learn.distil import WithFeatures, distillation_loss
from training.learn.fit import Fit, FitPlan
from training.learn.head import HeadLessons, refit_head
from training.learn.metrics import sigmoid
from training.learn.network import WEIGHTS_FILE, CommentNetwork, keep_layers, load_network, save_network
from training.learn.ngrams import opinions
from training.learn.pretrain import MaskedLanguage, mean_loss
from training.lessons import prepare_lessons
from training.workspace import Workspace, load_or_compute

log = logging.getLogger(__name__)

ENCODER, TEACHER, STUDENT, SENTIMENT = "encoder", "teacher", "student", "sentiment"
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


def train_encoder(space: Workspace) -> CommentNetwork:
    """Let the encoder read the texts of the task, with pieces left out to guess. Its head is new, and knows nothing."""
    plan = space.plan

    def train(folder: Path) -> CommentNetwork:
        torch.manual_seed(plan.encoder.seed)
        language = MaskedLanguage(space.encoder(), plan.encoder.seed)
        fit = Fit(language, plan.encoder, folder, pad_id=space.pad_id)
        fit.loss = mean_loss
        encoder = fit.run(_texts_only(space.train, space, plan.encoder_mixture)).encoder
        return CommentNetwork(encoder, len(SIGNALS))

    return _once(space, ENCODER, train)


def train_teacher(space: Workspace) -> CommentNetwork:
    """Fine-tune the whole encoder on every label there is."""

    def train(folder: Path) -> CommentNetwork:
        encoder = train_encoder(space).encoder
        check_no_dev_text((row.text for row in space.train), space.rows)
        data = EpochMaker(space.train, targets_of(space.train), space.tokenizer, space.plan.teacher_mixture)
        torch.manual_seed(space.plan.teacher.seed)
        network = CommentNetwork(encoder, len(SIGNALS))
        return Fit(network, space.plan.teacher, folder, pad_id=space.pad_id).run(data)

    return _once(space, TEACHER, train)


@dataclass(frozen=True)
class Student:
    """A student to distil: the folder it is trained in, its size, and how and on what it is trained."""

    name: str
    layers: int
    plan: FitPlan
    mixture: Mixture


def train_student(space: Workspace, teacher: CommentNetwork) -> CommentNetwork:
    """The average of the plan's students, one a mixture: better than any of them, and no slower.

    Model soups (Wortsman et al., 2022). They start from the same layers of the teacher and learn from the same
    teacher, so they end in one valley of the loss, and the mean of their weights lies deeper in it than they do.
    Some of its head is then fitted to it once more.
    """
    plan = space.plan

    def train(_folder: Path) -> CommentNetwork:
        wanted = [
            Student(f"{STUDENT}-{number}", plan.student_layers, plan.student, mixture)
            for number, mixture in enumerate(plan.student_mixtures, start=1)
        ]
        student = averaged([distil(space, teacher, student) for student in wanted])
        refit_head(student, [SIGNAL_INDEX[name] for name in plan.refitted], _head_lessons(space, teacher), space.pad_id)
        return student

    return _once(space, STUDENT, train)


def _head_lessons(space: Workspace, teacher: CommentNetwork) -> HeadLessons:
    """An epoch more of the last student's, in which harmless rows count for more."""
    plan = space.plan
    lessons = prepare_lessons(space, teacher)
    harmless = np.isin([row.source for row in lessons.rows], HARMLESS)
    weights = np.where(harmless[:, None], [*plan.refitted.values()], 1.0).astype(np.float32)
    asked = lessons.signals[:, [SIGNAL_INDEX[name] for name in plan.refitted]]
    epoch = EpochMaker(lessons.rows, np.hstack([asked, weights]), space.tokenizer, plan.student_mixtures[-1])
    drawn = epoch(0, np.random.default_rng(plan.seed))
    return HeadLessons(drawn.ids, *np.hsplit(drawn.targets, 2))


def distil(space: Workspace, teacher: CommentNetwork, wanted: Student) -> CommentNetwork:
    """One student, taught by the teacher from its own first layers on."""

    def train(folder: Path) -> CommentNetwork:
        torch.manual_seed(wanted.plan.seed)
        student = first_layers(teacher, wanted.layers)
        lessons = prepare_lessons(space, teacher)
        fit = Fit(WithFeatures(student), wanted.plan, folder, pad_id=space.pad_id)
        fit.loss = distillation_loss(len(SIGNALS), torch.from_numpy(lessons.spread).to(wanted.plan.device))
        fit.run(lessons.epochs(space, wanted.mixture))
        return student

    return _once(space, wanted.name, train)


def averaged(networks: Sequence[CommentNetwork]) -> CommentNetwork:
    """A network of the mean of the weights of networks of one shape."""
    mean = copy.deepcopy(networks[0])
    states = [network.state_dict() for network in networks]
    mean.load_state_dict({name: torch.stack([state[name] for state in states]).mean(dim=0) for name in states[0]})
    return mean


def first_layers(network: CommentNetwork, layers: int) -> CommentNetwork:
    """A network that starts as the first layers of another, with its head (Sajjad et al., 2020: drop from the top)."""
    smaller = CommentNetwork(keep_layers(network.encoder, range(layers)), network.head.out_features)
    smaller.head.load_state_dict(network.head.state_dict())
    return smaller


def train_sentiment(space: Workspace, student: CommentNetwork) -> CommentNetwork:
    """Go on from the student with the reviews alone: the second bundle."""
    plan = space.plan

    def train(folder: Path) -> CommentNetwork:
        network = first_layers(student, student.encoder.config.num_hidden_layers)
        return Fit(network, plan.sentiment, folder, pad_id=space.pad_id).run(_reviews(space, plan.sentiment_mixture))

    return _once(space, SENTIMENT, train)


def _reviews(space: Workspace, mixture: Mixture) -> EpochMaker:
    reviews = [row for row in space.train if _POSITIVE in row.targets]
    found = load_or_compute(space.work / "opinions-reviews.npz", lambda: opinions(reviews, [_POSITIVE]))
    return EpochMaker(reviews, _review_targets(reviews, found[:, 0]), space.tokenizer, mixture)


def _review_targets(reviews: list[Row], opinion: Floats) -> Floats:
    """Only the tone: the stars, pulled in from 0 and 1, and what the n-grams of the other reviews say of this one."""
    targets = targets_of(reviews)
    only = np.full_like(targets, np.nan)
    stars = np.clip(targets[:, SIGNAL_INDEX[_POSITIVE]], _SENTIMENT_EDGE, 1 - _SENTIMENT_EDGE)
    second = np.where(np.isnan(opinion), stars, sigmoid(opinion))
    only[:, SIGNAL_INDEX[_POSITIVE]] = (1 - _OPINION_SHARE) * stars + _OPINION_SHARE * second
    return only


def _texts_only(rows: Sequence[Row], space: Workspace, mixture: Mixture) -> EpochMaker:
    """Epochs of the rows' texts without any target.

    Raises:
        ModelSourceError: one of them is a dev row's text.
    """
    check_no_dev_text((row.text for row in rows), space.rows)
    return EpochMaker(rows, np.zeros((len(rows), 0), dtype=np.float32), space.tokenizer, mixture)
