"""Scores of yes-or-no decisions: precision, recall, F1, macro-F1, calibration error. Plain numpy, each a few lines."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.data.batches import Floats

Flags = npt.NDArray[np.bool_]
CALIBRATION_BINS = 15


@dataclass(frozen=True)
class Confusion:
    """Counts of a yes-or-no decision against the truth."""

    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int

    @property
    def precision(self) -> float:
        """Share of the flagged that were rightly flagged; 0 where nothing was."""
        return _ratio(self.true_positive, self.true_positive + self.false_positive)

    @property
    def recall(self) -> float:
        """Share of the positives that were flagged."""
        return _ratio(self.true_positive, self.true_positive + self.false_negative)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return _ratio(2 * self.true_positive, 2 * self.true_positive + self.false_positive + self.false_negative)

    @property
    def macro_f1(self) -> float:
        """Mean of the F1 of yes and the F1 of no."""
        negative = _ratio(2 * self.true_negative, 2 * self.true_negative + self.false_positive + self.false_negative)
        return (self.f1 + negative) / 2

    @property
    def accuracy(self) -> float:
        """Share of right decisions."""
        total = self.true_positive + self.true_negative + self.false_positive + self.false_negative
        return _ratio(self.true_positive + self.true_negative, total)


def confusion(flagged: Flags, truth: Flags) -> Confusion:
    """Count the four cases."""
    return Confusion(
        true_positive=int((flagged & truth).sum()),
        false_positive=int((flagged & ~truth).sum()),
        false_negative=int((~flagged & truth).sum()),
        true_negative=int((~flagged & ~truth).sum()),
    )


def sigmoid(logits: Floats) -> Floats:
    """Probabilities of logits."""
    probabilities: Floats = (1.0 / (1.0 + np.exp(-np.clip(logits, -30, 30)))).astype(np.float32)
    return probabilities


def calibration_error(probabilities: Floats, truth: Flags, bins: int = CALIBRATION_BINS) -> float:
    """Expected calibration error: mean distance between score and observed rate over bins, weighted by their size.

    Naeini et al., 2015, with bins of equal width.
    """
    return sum(abs(score - rate) * share for score, rate, share in calibration_curve(probabilities, truth, bins))


def calibration_curve(probabilities: Floats, truth: Flags, bins: int) -> list[tuple[float, float, float]]:
    """For each bin that holds anything: mean score, observed rate, share of all texts."""
    index = np.minimum((probabilities * bins).astype(int), bins - 1)
    present = [index == number for number in range(bins) if (index == number).any()]
    return [(float(probabilities[here].mean()), float(truth[here].mean()), float(here.mean())) for here in present]


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
