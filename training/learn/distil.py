"""Distillation: the teacher's word on every text there is becomes the student's target, beside the labels.

Hinton et al., 2015, with a sigmoid a signal instead of a softmax. The teacher reads the clean text; the student reads
clean, disguised and surrounded copies of it, so that it learns to see through what its teacher never met.
"""

from collections.abc import Sequence

import numpy as np

from training.data.batches import Floats
from training.data.signals import ACCUSING, ANY, SIGNAL_INDEX, SIGNALS, TARGET_INDEX, TARGETS
from training.learn.metrics import Flags, sigmoid

TEACHER_SHARE = 0.5


def with_any(logits: Floats) -> Floats:
    """Logits `[texts, SIGNALS]` with a column for `ANY`, the highest of the accusing labels': `[texts, TARGETS]`."""
    found = np.full((len(logits), len(TARGETS)), np.nan, dtype=np.float32)
    found[:, : len(SIGNALS)] = logits
    found[:, TARGET_INDEX[ANY]] = logits[:, [SIGNAL_INDEX[name] for name in ACCUSING]].max(axis=1)
    return found


def blended(
    taught: Floats, opinions: Floats, sources: Sequence[str], by_heart: Flags | None = None, share: float = 0.5
) -> Floats:
    """The mean of a teacher's logits and a second opinion, where there is one (not NaN), both `[texts, TARGETS]`.

    The second opinion has `share` of it.

    Opinions are first brought to the teacher's mean and spread on the same texts, source by source: two kinds of
    models are differently sure of themselves. Of texts that the teacher has learnt `by_heart` it can only repeat the
    label; there the second opinion, which was formed without that label, stands alone and as it is.
    """
    learnt = np.zeros(len(taught), dtype=np.bool_) if by_heart is None else by_heart
    found = np.where(learnt[:, None] & ~np.isnan(opinions), opinions, taught).astype(np.float32)
    for source in dict.fromkeys(sources):
        own = np.array([name == source for name in sources]) & ~learnt
        for column in range(opinions.shape[1]):
            both = own & ~np.isnan(opinions[:, column])
            first, second = taught[both, column], opinions[both, column]
            if both.any() and second.std() > 0:
                found[both, column] = (1 - share) * first + share * scaled(second, first)
    return found


def scaled(values: Floats, like: Floats) -> Floats:
    """`values` with the mean and the spread of `like`."""
    moved: Floats = ((values - values.mean()) / values.std() * like.std() + like.mean()).astype(np.float32)
    return moved


def soft_targets(labels: Floats, teacher_logits: Floats, certain: Floats) -> Floats:
    """Targets `[texts, TARGETS]`: the teacher's word where no label is known, and a mixture of both where one is.

    `labels` and `teacher_logits` are `[texts, TARGETS]`, labels NaN where unknown; `certain` `[texts]` is 1 where a
    label needs no teacher.
    """
    taught = sigmoid(teacher_logits)
    share = TEACHER_SHARE * (1 - certain)[:, None]
    mixed = np.where(np.isnan(labels), taught, share * taught + (1 - share) * np.nan_to_num(labels))
    targets: Floats = mixed.astype(np.float32)
    return targets
