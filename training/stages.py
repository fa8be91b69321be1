"""The stages that train: the rounds of the student, and sentiment. Each leaves a folder, and is done only once."""

import copy
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import BertModel

from bundles.format import load_bundle
from bundles.text.normalise import normalise
from training.data.batches import Floats, encode
from training.data.prepare import EpochMaker, sentiment_rows, targets_of
from training.data.signals import SIGNAL_INDEX, SIGNALS
from training.data.sources import Row, check_no_dev_text
from training.learn.embedded import encoder_of_bundle, network_of_bundle
from training.learn.fit import Fit, class_loss
from training.learn.metrics import sigmoid
from training.learn.network import WEIGHTS_FILE, CommentNetwork, load_network, save_network, set_dropout
from training.learn.ngrams import opinions
from training.learn.objective import verdict_loss
from training.learn.own_column import add_own_column
from training.learn.wide import fit_wide
from training.lessons import Lessons, lessons_of_panel, prepare_lessons
from training.panel import panel_word
from training.plan import Round
from training.ship.serving import SENTIMENT_LABELS
from training.workspace import Workspace, load_or_compute

log = logging.getLogger(__name__)

STUDENT, SENTIMENT = "student", "sentiment"
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


def train_student(space: Workspace) -> CommentNetwork:
    """Train round after round, then take the weighted mean of the rounds' weights.

    The mean of a network and what it was fine-tuned to keeps what the first one knew better (WiSE-FT, Wortsman et
    al., 2022): the first round, of the sources alone, spares more harmless news comments than the last.
    """
    return _once(space, STUDENT, lambda _folder: _with_wide(space, _mean_of_rounds(space, len(space.plan.rounds))))


def _with_wide(space: Workspace, network: CommentNetwork) -> CommentNetwork:
    """The network with a wide part, fitted by itself: the network knows its training rows by heart already."""
    plan = space.plan.wide
    if plan is None:
        return network
    generator = np.random.default_rng([space.plan.seed, 2])
    wanted = {row.source: plan.most.get(row.source, len(space.train)) for row in space.train}
    drawn = [space.train[index] for index in generator.permutation(len(space.train))]
    rows = []
    for row in drawn:
        wanted[row.source] -= 1
        if row.targets and wanted[row.source] >= 0:
            rows.append(row)
    ids = encode(space.tokenizer, [normalise(row.text) for row in rows], space.plan.max_length)
    pieces = network.encoder.config.vocab_size
    network.wide = fit_wide(rows, ids, plan, pieces=pieces, window_tokens=network.window_tokens)
    if plan.own is not None:
        network.wide, bias = add_own_column(network.wide, rows, ids, plan, network.window_tokens)
        with torch.no_grad():
            network.head.bias[SIGNAL_INDEX[plan.own.label]] += bias
    return network.eval()


def _mean_of_rounds(space: Workspace, count: int) -> CommentNetwork:
    """The weighted mean of the first `count` rounds, trained now where they are not there yet."""
    steps = space.plan.rounds[:count]
    first = max((number for number, step in enumerate(steps) if step.from_mean), default=0)
    rounds, weights = [], []
    if steps[first].from_mean:
        rounds.append(_once(space, f"{STUDENT}-{first}-mean", lambda _folder: _mean_of_rounds(space, first)))
        weights.append(sum(step.weight for step in steps[:first]))
    for number in range(first, count):
        rounds.append(_train_round(space, number, rounds))
        weights.append(steps[number].weight)
    return averaged(rounds, weights)


def go_on_from_bundle(space: Workspace) -> None:
    """Take the network of the bundle to start from as the mean of the rounds before the last `from_mean` round.

    So a later round can be run where those before it were run elsewhere, and only what they made is at hand.
    """
    number = max(number for number, step in enumerate(space.plan.rounds) if step.from_mean)
    network = network_of_bundle(load_bundle(space.start), SIGNALS, space.plan.window_tokens)
    network.wide = None  # it is fitted anew, beside what the rounds make of the rest
    _once(space, f"{STUDENT}-{number}-mean", lambda _folder: network)


def _train_round(space: Workspace, number: int, before: Sequence[CommentNetwork]) -> CommentNetwork:
    """One round: it goes on from the one before, and may be taught by the mean of what all of those say."""
    step = space.plan.rounds[number]

    def train(folder: Path) -> CommentNetwork:
        torch.manual_seed(step.fit.seed)
        network = copy.deepcopy(before[-1]) if before else new_student(space)
        lessons = _lessons(space, step, before)
        set_dropout(network, step.dropout)
        fit = Fit(network, step.fit, folder, pad_id=space.pad_id)
        fit.loss = verdict_loss
        return fit.run(lessons.epochs(space, step.mixture))

    return _once(space, f"{STUDENT}-{number + 1}", train)


def _lessons(space: Workspace, step: Round, before: Sequence[CommentNetwork]) -> Lessons:
    if step.has_panel and space.plan.panel is not None:
        return lessons_of_panel(space, step.mixture, panel_word(space, space.plan.panel))
    teachers = before if step.has_teachers else ()
    return prepare_lessons(space, step.mixture, teachers, ngrams=step.has_ngrams)


def new_student(space: Workspace) -> CommentNetwork:
    """A network with the encoder of the bundle to start from, or of the plan, and a head that knows nothing yet."""
    encoder: BertModel = space.encoder() if space.plan.tiny else encoder_of_bundle(load_bundle(space.start))
    return CommentNetwork(encoder, len(SIGNALS), space.plan.window_tokens)


def averaged(networks: Sequence[CommentNetwork], weights: Sequence[float]) -> CommentNetwork:
    """A network of the weighted mean of the weights of networks of one shape."""
    mean = copy.deepcopy(networks[0])
    states = [network.state_dict() for network in networks]
    shares = [weight / sum(weights) for weight in weights]
    mean.load_state_dict(
        {
            name: sum((share * state[name] for share, state in zip(shares, states, strict=True)), torch.zeros(()))
            for name in states[0]
        }
    )
    return mean.eval()


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
    written = sentiment_rows(space.rows, space.train)
    of_written = np.eye(len(SENTIMENT_LABELS), dtype=np.float32)[[SENTIMENT_LABELS.index(name) for _, name in written]]
    targets: Floats = np.concatenate([of_reviews, of_written]).astype(np.float32)
    return [*reviews, *(row for row, _ in written)], targets
