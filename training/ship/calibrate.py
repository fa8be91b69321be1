"""Thresholds with an aim, and scores that mean what they say, both chosen on the dev rows.

A strictness is a threshold for each label, chosen by what it may flag of the harmless sets and what it is to find of
the bad ones (`training/sets.py`). Where both cannot be had the harmless side goes first.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.isotonic import IsotonicRegression

from training.data.batches import Floats
from training.data.sets import TextSet
from training.data.signals import Targets
from training.data.sources import Row
from training.learn.metrics import Flags, confusion, sigmoid
from training.ship.serving import (
    LENIENT,
    STANDARD,
    STRICT,
    STRICTNESSES,
    Knots,
    ServedLabel,
    Taxonomy,
    calibrated_logits,
)

_STARTS = 12
_ROUNDS = 6
_SEED = 20
_GRID = np.round(np.arange(-1.6, 6.01, 0.1), 2)
_MARGIN = 0.99
"""Of a harmless limit that the choice keeps to: dev rows are a sample."""
_LENIENT_SHARE = 0.35
_STRICT_SHARE = 3.0
_KNOTS = (-8.0, -4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0, 8.0)
"""Places of the knots, in logits from the standard threshold."""
_LEAST_SLOPE = 0.05
_STEEPNESS = {"curse": 1.8, "insult": 0.5, "threat": 1.5}
"""Above the turn, factors of the score's logit.

A curse is often an insult too, and sources that know insults do not tell the two apart. The classification is the label
with the highest score, and is to be the more definite word.
"""
_EDGE = 0.002
"""Scores learnt from a few thousand dev rows stay this far from 0 and 1."""


@dataclass(frozen=True)
class Judged:
    """A set of texts with the graph's logits for them, `[texts, labels]`, the highest of each text's windows."""

    texts: TextSet
    logits: Floats

    def flagged(self, thresholds: Floats, accusing: Sequence[int]) -> float:
        """The share that any accusing label flags, by thresholds on the graph's logits."""
        return float((self.logits[:, accusing] >= thresholds).any(axis=1).mean())


def calibrate(taxonomy: Taxonomy, judged: Sequence[Judged]) -> Taxonomy:
    """Choose thresholds for each strictness, then the map from logits to scores; all on the `tuned` sets."""
    tuned = [found for found in judged if found.texts.tuned]
    beep = [found for found in judged if found.texts.name.startswith("BEEP")]
    raw = {
        STANDARD: _choose(taxonomy, tuned, _limits(tuned, 1.0), []),
        LENIENT: _choose(taxonomy, tuned, _limits(tuned, _LENIENT_SHARE), []),
        STRICT: _choose(taxonomy, tuned, _limits(tuned, _STRICT_SHARE), beep),
    }
    raw[LENIENT] = np.maximum(raw[LENIENT], raw[STANDARD])
    raw[STRICT] = np.minimum(raw[STRICT], raw[STANDARD])
    kinds = _kind_thresholds(taxonomy, judged)
    labels = []
    for index, label in enumerate(taxonomy.labels):
        place = taxonomy.accusing.index(index) if index in taxonomy.accusing else None
        by_level = {level: kinds[index] if place is None else float(raw[level][place]) for level in STRICTNESSES}
        labels.append(_calibrated(label, index, by_level, judged))
    return replace(taxonomy, labels=tuple(labels))


def _limits(judged: Sequence[Judged], share: float) -> Mapping[str, float]:
    return {found.texts.name: share * (found.texts.limit or 0.0) for found in judged if not found.texts.bad}


def _choose(
    taxonomy: Taxonomy, judged: Sequence[Judged], limits: Mapping[str, float], beep: Sequence[Judged]
) -> Floats:
    """Thresholds `[accusing labels]` on logits: coordinate search from one common threshold and places around it."""
    accusing = taxonomy.accusing

    def merit(thresholds: Floats) -> float:
        return _merit(judged, thresholds, accusing, limits) + 3 * _beep_macro_f1(beep, thresholds, accusing)

    common = max(_GRID, key=lambda value: merit(np.full(len(accusing), value, dtype=np.float32)))
    generator = np.random.default_rng(_SEED)
    starts = [common + generator.normal(0, spread, len(accusing)) for spread in (0.0, *[1.0] * (_STARTS - 1))]
    ends = [_descend(start.astype(np.float32), merit, generator) for start in starts]
    return max(ends, key=merit)


def _descend(thresholds: Floats, merit: Callable[[Floats], float], generator: np.random.Generator) -> Floats:
    """The thresholds after some rounds of choosing one of them at a time, in random order."""
    for _ in range(_ROUNDS):
        for place in generator.permutation(len(thresholds)):
            tried = [_with(thresholds, int(place), float(value)) for value in _GRID]
            thresholds = _middle_best(tried, [merit(values) for values in tried])
    return thresholds


def _with(thresholds: Floats, place: int, value: float) -> Floats:
    changed = thresholds.copy()
    changed[place] = value
    return changed


def _middle_best(tried: Sequence[Floats], merits: Sequence[float]) -> Floats:
    """The best after smoothing: a peak of a dev set is mostly luck."""
    smooth = np.convolve(np.pad(merits, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
    return tried[int(np.argmax(smooth))]


def _merit(judged: Sequence[Judged], thresholds: Floats, accusing: Sequence[int], limits: Mapping[str, float]) -> float:
    """What is found, less a steep price for each harmless set over its limit."""
    total = 0.0
    for found in judged:
        share = found.flagged(thresholds, accusing)
        if found.texts.bad:
            goal = found.texts.limit or 0.0
            total += share + 3 * min(share - goal, 0.0)
        else:
            limit = _MARGIN * limits[found.texts.name]
            total -= 10 * max(share - limit, 0.0) / max(limit, 0.01) + share
    return total


def _beep_macro_f1(beep: Sequence[Judged], thresholds: Floats, accusing: Sequence[int]) -> float:
    if not beep:
        return 0.0
    flags = np.concatenate([(found.logits[:, accusing] >= thresholds).any(axis=1) for found in beep])
    truth = np.concatenate([np.full(len(found.logits), found.texts.bad) for found in beep])
    return confusion(flags, truth).macro_f1


def _kind_thresholds(taxonomy: Taxonomy, judged: Sequence[Judged]) -> dict[int, float]:
    """For each kind of a label: the logit with the best F1 on the rows that name kinds."""
    chosen = {}
    for index, label in enumerate(taxonomy.labels):
        if index not in taxonomy.accusing:
            logits, truth, _ = known_truth(label.name, index, judged)
            values = [confusion(logits >= threshold, truth).f1 for threshold in _GRID]
            smooth = np.convolve(np.pad(values, 3, mode="edge"), np.ones(7) / 7, mode="valid")
            chosen[index] = float(_GRID[int(np.argmax(smooth))])
    return chosen


def known_truth(label: str, index: int, judged: Sequence[Judged]) -> tuple[Floats, Flags, Floats]:
    """Logits of a label, its truth and the rows' weights, over the weighted sets' rows whose source says it."""
    logits, truth, weights = [], [], []
    for found in judged:
        if not found.texts.weight:
            continue
        values = np.array([_truth(row, label) for row in found.texts.rows], dtype=np.float32)
        known = ~np.isnan(values)
        logits.append(found.logits[known, index])
        truth.append(values[known] > 0.5)
        weights.append(np.full(int(known.sum()), found.texts.weight / len(values), dtype=np.float32))
    return np.concatenate(logits), np.concatenate(truth), np.concatenate(weights)


def _truth(row: Row, label: str) -> float:
    targets: Targets = row.targets
    return targets.get(label, float("nan"))


def _calibrated(
    label: ServedLabel, index: int, thresholds: Mapping[str, float], judged: Sequence[Judged]
) -> ServedLabel:
    logits, truth, weights = known_truth(label.name, index, judged)
    turn = thresholds[STANDARD]
    # No dev row of the mixture is a threat: such a label keeps the graph's own logit, moved to the turn.
    knots = (
        fit_knots(logits, truth, weights, turn) if truth.any() else ((turn - 1.0, -1.0), (turn, 0.0), (turn + 1.0, 1.0))
    )
    steepness = _STEEPNESS.get(label.name, 1.0)
    knots = tuple((raw, round(served * steepness, 4) if served > 0 else served) for raw, served in knots)
    at = calibrated_logits(np.array([thresholds[level] for level in STRICTNESSES], dtype=np.float32), knots)
    scores = {level: round(float(score), 3) for level, score in zip(STRICTNESSES, sigmoid(at), strict=True)}
    return replace(label, knots=knots, thresholds=scores)


def fit_knots(logits: Floats, truth: Flags, weights: Floats, turn: float) -> Knots:
    """A monotone map from logits to score logits that is 0 at `turn`, else as the observed rates are.

    Isotonic regression (Zadrozny and Elkan, 2002), read at a few places and made strictly rising.
    """
    fitted = IsotonicRegression(y_min=_EDGE, y_max=1 - _EDGE, out_of_bounds="clip")
    fitted.fit(logits, truth.astype(np.float32), sample_weight=weights)
    places = turn + np.array(_KNOTS)
    rates = fitted.predict(places)
    served = np.log(rates / (1 - rates))
    middle = len(_KNOTS) // 2
    served[middle] = 0.0
    for place in range(middle + 1, len(served)):
        served[place] = max(served[place], served[place - 1] + _LEAST_SLOPE * (places[place] - places[place - 1]))
    for place in range(middle - 1, -1, -1):
        served[place] = min(served[place], served[place + 1] - _LEAST_SLOPE * (places[place + 1] - places[place]))
    return tuple((round(float(raw), 3), round(float(value), 4)) for raw, value in zip(places, served, strict=True))
