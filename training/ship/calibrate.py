"""Calibration on the dev rows: served labels read from signals, scores that mean what they say, thresholds with an aim.

The served standard, label by label, is chosen here and nowhere else:

- `curse` is profanity as K-MHaS marks it, in text like news comments; in text like a community's it is as wide as
  curse-detection has it, slurs against a group included. `training/learn/distil.py` says how the two become one signal;
- `insult` is BEEP's offence, the strictest of the sources: attack, mockery and ill will without a swear word;
- `hate` is K-MHaS's: contempt for a group, with its kind.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from training.data.batches import Floats
from training.data.signals import SIGNAL_INDEX
from training.data.sources import Row
from training.learn.logistic import newton
from training.learn.metrics import Flags, confusion, sigmoid
from training.ship.serving import ServedLabel, Taxonomy, served_logits

_ROUNDS = 3
_HARMLESS_FLAGGED = 0.01
_GRID = np.round(np.arange(0.05, 0.951, 0.01), 2)

# The truth that a served label is calibrated against: the signals of the sources whose standard it takes.
TRUTHS: Mapping[str, tuple[str, ...]] = {
    "curse": ("curse",),
    "insult": ("beep/offensive",),
    "hate": ("kmhas/hate",),
}


@dataclass(frozen=True)
class Dev:
    """Dev rows and a model's signal logits for them, in one order."""

    rows: Sequence[Row]
    logits: Floats

    def truth(self, *signals: str) -> tuple[Flags, Flags]:
        """Where one of `signals` is known, and its value there (False elsewhere)."""
        values = np.array([_first_known(row, signals) for row in self.rows], dtype=np.float32)
        known = ~np.isnan(values)
        return known, known & (values > 0.5)


def _first_known(row: Row, signals: Sequence[str]) -> float:
    return next((row.targets[name] for name in signals if name in row.targets), float("nan"))


def truth_signals(label: str) -> tuple[str, ...]:
    """The signals that are the truth of a served label."""
    return TRUTHS.get(label, (f"kmhas/{label.removeprefix('hate/')}",))


def fit_logistic(features: Floats, truth: Flags) -> tuple[Floats, float]:
    """Weights and bias of a logistic regression (Platt scaling, for one feature), by Newton's method.

    A signal whose weight comes out negative is left out: it would be the noise of a small dev set.
    """
    weights, bias = newton(features, truth)
    negative = weights < 0
    if negative.any() and not negative.all():
        kept, bias = fit_logistic(features[:, ~negative], truth)
        weights = np.zeros_like(weights)
        weights[~negative] = kept
    return weights, bias


def calibrate(taxonomy: Taxonomy, dev: Dev, everyday: Floats) -> Taxonomy:
    """Fit each label's weights and bias on the dev rows that know its truth, then choose the thresholds.

    `everyday`: signal logits of harmless sentences held out of training, of which next to none may be flagged.
    """
    fitted = replace(taxonomy, labels=tuple(_fit_label(label, dev) for label in taxonomy.labels))
    if taxonomy.clean_label is None:
        return fitted
    return _spare_the_harmless(choose_thresholds(fitted, dev), everyday)


def _spare_the_harmless(taxonomy: Taxonomy, everyday: Floats) -> Taxonomy:
    """Raise each threshold to where no more than `_HARMLESS_FLAGGED` of everyday sentences pass it."""
    if not len(everyday):
        return taxonomy
    floors = np.quantile(sigmoid(served_logits(everyday, taxonomy)), 1 - _HARMLESS_FLAGGED, axis=0)
    labels = tuple(
        replace(label, threshold=max(label.threshold, round(min(float(floor), _GRID[-1]), 3)))
        for label, floor in zip(taxonomy.labels, floors, strict=True)
    )
    return replace(taxonomy, labels=labels)


def _fit_label(label: ServedLabel, dev: Dev) -> ServedLabel:
    if label.name in ("negative", "positive"):
        return _fit_temperature(label, dev)
    known, truth = dev.truth(*truth_signals(label.name))
    columns = [SIGNAL_INDEX[name] for name in label.signals]
    weights, bias = fit_logistic(dev.logits[known][:, columns], truth[known])
    return replace(label, weights=tuple(map(float, weights)), bias=bias)


def _fit_temperature(label: ServedLabel, dev: Dev) -> ServedLabel:
    known, truth = dev.truth("nsmc/positive")
    column = SIGNAL_INDEX["nsmc/positive"]
    weights, bias = fit_logistic(dev.logits[known][:, [column]], truth[known])
    sign = 0.5 if label.name == "positive" else -0.5
    return replace(label, weights=(sign * float(weights[0]),), bias=sign * bias)


def choose_thresholds(taxonomy: Taxonomy, dev: Dev) -> Taxonomy:
    """One threshold a label. Each has its aim; the later ones are chosen with the earlier in force.

    `curse`: the mean of its F1 on K-MHaS and of curse-or-hate's on curse-detection. `hate`: macro-F1 of curse-or-hate
    on K-MHaS. `insult`: macro-F1 of anything-but-clean on BEEP. Kinds of hate: their own F1.
    """
    scores = dict(zip(taxonomy.names, sigmoid(served_logits(dev.logits, taxonomy)).T, strict=True))
    chosen = {name: _best_f1(scores[name], *dev.truth(*truth_signals(name))) for name in taxonomy.names}
    for _ in range(_ROUNDS):  # `curse` and `hate` hang on each other
        chosen["curse"] = _curse_threshold(scores["curse"], scores["hate"] >= chosen["hate"], dev)
        chosen["hate"] = _best_macro(scores["hate"], scores["curse"] >= chosen["curse"], *dev.truth("kmhas/any"))
    either = (scores["curse"] >= chosen["curse"]) | (scores["hate"] >= chosen["hate"])
    chosen["insult"] = _best_macro(scores["insult"], either, *dev.truth("beep/offensive"))
    labels = tuple(replace(label, threshold=chosen[label.name]) for label in taxonomy.labels)
    return replace(taxonomy, labels=labels)


def _curse_threshold(scores: Floats, hateful: Flags, dev: Dev) -> float:
    profane, profane_truth = dev.truth("kmhas/curse")
    abusive, abusive_truth = dev.truth("curse_detection/curse")
    values = []
    for threshold in _GRID:
        cursed = scores >= threshold
        narrow = confusion(cursed[profane], profane_truth[profane]).f1
        wide = confusion((cursed | hateful)[abusive], abusive_truth[abusive]).f1
        values.append((narrow + wide) / 2)
    return _best(values)


def _best_f1(scores: Floats, known: Flags, truth: Flags) -> float:
    return _best([confusion(scores[known] >= threshold, truth[known]).f1 for threshold in _GRID])


def _best_macro(scores: Floats, already: Flags, known: Flags, truth: Flags) -> float:
    flagged = [(already | (scores >= threshold))[known] for threshold in _GRID]
    return _best([confusion(flags, truth[known]).macro_f1 for flags in flagged])


def _best(values: Sequence[float]) -> float:
    """The threshold in the middle of the plateau around the best value: a peak of a dev set is mostly luck."""
    smooth = np.convolve(np.pad(values, 3, mode="edge"), np.ones(7) / 7, mode="valid")
    return float(_GRID[int(np.argmax(smooth))])
