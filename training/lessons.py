"""What a round of training is taught: the labels, and what the rounds before it say of every text of a pool."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.data.batches import Floats
from training.data.prepare import MADE_UP, EpochMaker, Mixture, choose, pleasant_sentences, targets_of
from training.data.sources import EVERYDAY, Row, check_no_dev_text
from training.learn.distil import soft_targets
from training.learn.network import CommentNetwork
from training.learn.predict import signal_logits
from training.workspace import Workspace

log = logging.getLogger(__name__)

_CERTAIN_SOURCES = (EVERYDAY, *MADE_UP)
"""Their labels hold by the way they were made; no network knows better."""


@dataclass(frozen=True)
class Lessons:
    """Rows with targets `[rows, TARGETS]`."""

    rows: list[Row]
    targets: Floats

    def epochs(self, space: Workspace, mixture: Mixture) -> EpochMaker:
        """Epochs of these rows."""
        return EpochMaker(self.rows, self.targets, space.tokenizer, mixture, pleasant_sentences(self.rows))


def prepare_lessons(space: Workspace, mixture: Mixture, teachers: Sequence[CommentNetwork] = ()) -> Lessons:
    """The rows that the mixture draws from; the teachers' mean word is half of each target that is not certain."""
    rows = _pool(space, mixture)
    check_no_dev_text((row.text for row in rows), space.rows)
    labels = targets_of(rows)
    if not teachers:
        return Lessons(rows, labels)
    log.info("labelling %d texts with %d networks", len(rows), len(teachers))
    texts, limits = [row.text for row in rows], {"max_length": space.plan.max_length, "pad_id": space.pad_id}
    said = [signal_logits(teacher, space.tokenizer, texts, **limits) for teacher in teachers]
    certain = [row.source in _CERTAIN_SOURCES or "/" in row.source for row in rows]
    return Lessons(rows, soft_targets(labels, np.mean(said, axis=0), np.array(certain, dtype=np.float32)))


def _pool(space: Workspace, mixture: Mixture) -> list[Row]:
    """One draw of the mixture, every row once: what is labelled, and drawn from again each epoch."""
    generator = np.random.default_rng([space.plan.seed, 1])
    return [space.train[index] for index in sorted(set(choose(space.train, mixture, generator)))]
