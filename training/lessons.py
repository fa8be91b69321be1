"""What a student is taught: the teacher's features of every text there is, and a target for each signal."""

import logging
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from training.data.batches import Floats
from training.data.prepare import MADE_UP, EpochMaker, Mixture, choose, targets_of
from training.data.sources import EVERYDAY, Row, check_no_dev_text
from training.learn.distil import blend_curse, feature_network, logits_of_features, soft_targets
from training.learn.network import CommentNetwork
from training.learn.ngrams import opinions, with_second_opinions
from training.workspace import Workspace, load_or_compute

log = logging.getLogger(__name__)

CERTAIN_SOURCES = (EVERYDAY, *MADE_UP)
"""Their labels hold by the way they were made; no teacher knows better."""
_LABELLED_AT_ONCE = 2_000


@dataclass(frozen=True)
class Lessons:
    """The pool's rows, with targets `[rows, signals]` and the teacher's features `[rows, features]`."""

    rows: list[Row]
    signals: Floats
    features: Floats

    @property
    def spread(self) -> Floats:
        """The standard deviation of each feature."""
        deviations: Floats = self.features.std(axis=0) + 1e-3
        return deviations

    def epochs(self, space: Workspace, mixture: Mixture) -> EpochMaker:
        """Epochs of these rows; a row's target is its signals, then its features."""
        return EpochMaker(self.rows, np.hstack([self.signals, self.features]), space.tokenizer, mixture)


def prepare_lessons(space: Workspace, teacher: CommentNetwork) -> Lessons:
    """Have the teacher and the n-grams label the pool, or read what they said from the space's folder."""
    rows = _pool(space)
    check_no_dev_text((row.text for row in rows), space.rows)
    features = _teacher_features(space, teacher, rows).astype(np.float32)
    found = load_or_compute(space.work / "opinions.npz", lambda: opinions(rows))
    labels = targets_of(rows)
    taught = with_second_opinions(logits_of_features(teacher, features), found, labels)
    taught = blend_curse(taught, features, [row.source for row in rows])
    certain = np.array([row.source in CERTAIN_SOURCES for row in rows], dtype=np.float32)
    return Lessons(rows, soft_targets(labels, taught, certain), features)


def _pool(space: Workspace) -> list[Row]:
    """The rows that are labelled, the same for the same seed."""
    generator = np.random.default_rng([space.plan.seed, 1])
    return [space.train[index] for index in choose(space.train, space.plan.student_pool, generator)]


def _teacher_features(space: Workspace, teacher: CommentNetwork, pool: list[Row]) -> Floats:
    """In half precision, by the teacher's int8 graph, the fastest way to them on a CPU."""

    def compute() -> Floats:
        log.info("labelling %d texts with the teacher", len(pool))
        runner = space.runner("teacher-features", feature_network(teacher))
        parts = np.array_split(np.arange(len(pool)), max(len(pool) // _LABELLED_AT_ONCE, 1))
        features = [runner.logits([pool[row].text for row in part], tokens_per_batch=768) for part in tqdm(parts)]
        return np.concatenate(features).astype(np.float16)  # half the size on disk

    return load_or_compute(space.work / "pool.npz", compute)
