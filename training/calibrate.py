"""Calibration on the dev rows: served labels read from signals, scores that mean what they say, thresholds with an aim.

The served standard, label by label, is chosen here and nowhere else:

- `curse` is profanity as K-MHaS and curse-detection mark it together;
- `insult` is BEEP's offence, the strictest of the sources: attack, mockery and ill will without a swear word;
- `hate` is K-MHaS's: contempt for a group, with its kind.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from training.batches import Floats
from training.metrics import Flags, confusion, sigmoid
from training.serving import ServedLabel, Taxonomy, served_logits
from training.signals import SIGNAL_INDEX
from training.sources import Row

_RIDGE = 1e-3
_NEWTON_STEPS = 30
_GRID = np.round(np.arange(0.05, 0.951, 0.01), 2)

# The truth that a served label is calibrated against: the signals of the sources whose standard it takes.
TRUTHS: Mapping[str, tuple[str, ...]] = {
    "curse": ("kmhas/curse", "curse_detection/curse"),
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
    """Weights and bias of a logistic regression (Platt scaling, for one feature), by Newton's method."""
    design = np.hstack([features, np.ones((len(features), 1), dtype=np.float32)]).astype(np.float64)
    ridge = np.diag([_RIDGE * len(features)] * features.shape[1] + [1e-9])
    beta = np.zeros(design.shape[1])
    for _ in range(_NEWTON_STEPS):
        probability = 1 / (1 + np.exp(-np.clip(design @ beta, -30, 30)))
        gradient = design.T @ (truth - probability) - ridge @ beta
        hessian = (design * (probability * (1 - probability))[:, None]).T @ design + ridge
        step = np.linalg.solve(hessian + 1e-6 * np.eye(len(beta)), gradient)
        beta += step
        if np.abs(step).max() < 1e-8:
            break
    return beta[:-1].astype(np.float32), float(beta[-1])


def calibrate(taxonomy: Taxonomy, dev: Dev, harmless: Dev) -> Taxonomy:
    """Fit each label's weights and bias on the dev rows that know its truth, then choose the thresholds.

    `harmless` rows, everyday sentences held out of training, join the fit: the sources alone are all contentious
    comments, and a label fitted on them alone calls a greeting half an insult.
    """
    together = Dev([*dev.rows, *harmless.rows], np.concatenate([dev.logits, harmless.logits]))
    fitted = replace(taxonomy, labels=tuple(_fit_label(label, together) for label in taxonomy.labels))
    return fitted if taxonomy.clean_label is None else choose_thresholds(fitted, dev)


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

    `curse`: the mean of the F1 on K-MHaS and on curse-detection. `hate`: macro-F1 of hate-or-curse on K-MHaS.
    `insult`: macro-F1 of anything-but-clean on BEEP. Kinds of hate: their own F1.
    """
    scores = dict(zip(taxonomy.names, sigmoid(served_logits(dev.logits, taxonomy)).T, strict=True))
    chosen = {name: _best_f1(scores[name], *dev.truth(*truth_signals(name))) for name in taxonomy.names}
    chosen["curse"] = _curse_threshold(scores["curse"], dev)
    cursed = scores["curse"] >= chosen["curse"]
    chosen["hate"] = _best_macro(scores["hate"], cursed, *dev.truth("kmhas/any"))
    hateful = cursed | (scores["hate"] >= chosen["hate"])
    chosen["insult"] = _best_macro(scores["insult"], hateful, *dev.truth("beep/offensive"))
    labels = tuple(replace(label, threshold=chosen[label.name]) for label in taxonomy.labels)
    return replace(taxonomy, labels=labels)


def _curse_threshold(scores: Floats, dev: Dev) -> float:
    sources = [dev.truth("kmhas/curse"), dev.truth("curse_detection/curse")]
    return _best(
        [
            float(np.mean([confusion(scores[known] >= threshold, truth[known]).f1 for known, truth in sources]))
            for threshold in _GRID
        ]
    )


def _best_f1(scores: Floats, known: Flags, truth: Flags) -> float:
    return _best([confusion(scores[known] >= threshold, truth[known]).f1 for threshold in _GRID])


def _best_macro(scores: Floats, already: Flags, known: Flags, truth: Flags) -> float:
    flagged = [(already | (scores >= threshold))[known] for threshold in _GRID]
    return _best([confusion(flags, truth[known]).macro_f1 for flags in flagged])


def _best(values: Sequence[float]) -> float:
    """The threshold in the middle of the plateau around the best value: a peak of a dev set is mostly luck."""
    smooth = np.convolve(np.pad(values, 3, mode="edge"), np.ones(7) / 7, mode="valid")
    return float(_GRID[int(np.argmax(smooth))])
