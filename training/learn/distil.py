"""Distillation: the teacher's word on every text there is becomes the student's target, beside the labels.

Hinton et al., 2015, with a sigmoid a signal instead of a softmax. The teacher reads the clean text; the student reads
clean, disguised and surrounded copies of it, so that it learns to see through what its teacher never met.
"""

import numpy as np

from training.data.batches import Floats
from training.data.signals import ACCUSING, ANY, SIGNAL_INDEX, SIGNALS, TARGET_INDEX
from training.learn.metrics import sigmoid

TEACHER_SHARE = 0.5


def soft_targets(labels: Floats, teacher_logits: Floats, certain: Floats) -> Floats:
    """Targets `[texts, TARGETS]`: the teacher's word where no label is known, and a mixture of both where one is.

    `labels` `[texts, TARGETS]` are NaN where unknown; `certain` `[texts]` is 1 where a label needs no teacher.
    """
    taught = np.full_like(labels, np.nan)
    taught[:, : len(SIGNALS)] = sigmoid(teacher_logits)
    taught[:, TARGET_INDEX[ANY]] = taught[:, [SIGNAL_INDEX[name] for name in ACCUSING]].max(axis=1)
    share = TEACHER_SHARE * (1 - certain)[:, None]
    mixed = np.where(np.isnan(labels), taught, share * taught + (1 - share) * np.nan_to_num(labels))
    targets: Floats = mixed.astype(np.float32)
    return targets
