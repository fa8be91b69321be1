"""What a student is taught: the teacher's word on every text of a pool, beside the labels."""

import logging
from dataclasses import dataclass

import numpy as np

from training.data.batches import Floats
from training.data.prepare import MADE_UP, EpochMaker, Mixture, choose, pleasant_sentences, targets_of
from training.data.sources import EVERYDAY, Row, check_no_dev_text
from training.learn.distil import soft_targets
from training.ship.bundle import GraphRunner
from training.workspace import Workspace, load_or_compute

log = logging.getLogger(__name__)

_CERTAIN_SOURCES = (EVERYDAY, *MADE_UP)
"""Their labels hold by the way they were made; no teacher knows better."""


@dataclass(frozen=True)
class Lessons:
    """The pool's rows, with targets `[rows, TARGETS]`."""

    rows: list[Row]
    targets: Floats

    def epochs(self, space: Workspace, mixture: Mixture) -> EpochMaker:
        """Epochs of these rows."""
        return EpochMaker(self.rows, self.targets, space.tokenizer, mixture, pleasant_sentences(self.rows))


def prepare_lessons(space: Workspace, teacher: GraphRunner) -> Lessons:
    """Have the teacher's int8 graph label the pool, or read what it said from the space's folder."""
    rows = _pool(space)
    check_no_dev_text((row.text for row in rows), space.rows)
    said = load_or_compute(space.work / "pool.npz", lambda: teacher.logits([row.text for row in rows]))
    certain = [row.source in _CERTAIN_SOURCES or row.source.startswith(("clean/", "bad/")) for row in rows]
    return Lessons(rows, soft_targets(targets_of(rows), said, np.array(certain, dtype=np.float32)))


def _pool(space: Workspace) -> list[Row]:
    """The rows that are labelled, the same for the same seed."""
    generator = np.random.default_rng([space.plan.seed, 1])
    return [space.train[index] for index in choose(space.train, space.plan.student_pool, generator)]
