"""Distillation: the teacher's probabilities for every text there is become the student's targets, beside the labels.

Hinton et al., 2015, with a sigmoid a signal instead of a softmax. The teacher reads the clean text; the student reads
clean and disguised copies of it, so that it learns to see through disguises that its teacher never met.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from training.batches import Floats
from training.metrics import sigmoid

TEACHER_SHARE = 0.7


def soft_targets(labels: Floats, teacher_logits: Floats, teacher_share: float = TEACHER_SHARE) -> Floats:
    """Targets `[texts, signals]`: the teacher's word where no label is known, and a mixture of both where one is."""
    taught = sigmoid(teacher_logits)
    known = ~np.isnan(labels)
    mixed = np.where(known, teacher_share * taught + (1 - teacher_share) * np.nan_to_num(labels), taught)
    targets: Floats = mixed.astype(np.float32)
    return targets


def spread_layers(layers: int, kept: int) -> list[int]:
    """Which of a teacher's layers a student starts from: the first, the last, and evenly between."""
    if kept == 1:
        return [0]
    return [round(index * (layers - 1) / (kept - 1)) for index in range(kept)]


def load_or_compute(path: Path, compute: Callable[[], Floats]) -> Floats:
    """The array in `path`, or the computed one, written there first: an interrupted run does not label twice."""
    if path.is_file():
        stored: Floats = np.load(path)["logits"]
        return stored
    logits = compute()
    partial = path.with_name(f"{path.stem}.partial.npz")
    np.savez_compressed(partial, logits=logits.astype(np.float32))
    partial.replace(path)
    return logits
