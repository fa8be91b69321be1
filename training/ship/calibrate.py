"""Thresholds with an aim, and scores that mean what they say, both chosen on the dev rows.

A strictness is a threshold for each label, chosen by what it may flag of the harmless sets and what it is to find of
the bad ones (`training/sets.py`). Where both cannot be had the harmless side goes first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.isotonic import IsotonicRegression

from training.data.batches import Floats
from training.data.sets import TextSet
from training.data.signals import Targets
from training.data.sources import Row
from training.learn.metrics import Flags, confusion, sigmoid
from training.learn.network import FOLD
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

_GRID = np.round(np.arange(-1.6, 6.01, 0.1), 2)
_FIXED: Mapping[str, Mapping[str, float]] = {"threat": {LENIENT: 1.1, STANDARD: 0.0, STRICT: -1.1}}
"""Labels that no dev set is about: a search would see only what they cost. So they count from the probability that
the network was trained to give, a half at `standard`, three quarters at `lenient` and one quarter at `strict`."""
_MARGIN = 0.99
"""Of a harmless limit that the choice keeps to: dev rows are a sample."""
_LUCK = 0.015
"""Merit by which two points may differ and count as equally good: one and a half per cent of one bad set."""
_LENIENT_SHARE = 0.35
_STRICT_SHARE = 3.0
_CALM = {"everyday sentences": 0.03, "headlines": 0.06, "questions on hard topics": 0.015, "KoSBi safe": 0.04}
"""What `strict` may flag of sets whose texts no annotator of BEEP would call offensive."""
_BEEP_GOAL = 0.786
"""Of BEEP's macro-F1 at `strict`, smoothed over its neighbours: a little over the goal."""
_KNOTS = (-8.0, -4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0, 8.0)
"""Places of the knots, in logits from the standard threshold."""
_LEAST_SLOPE = 0.05
_LEAST_SLOPE_FOLDED = 0.4
"""Below the fold, where `strict` needs scores that can be told apart at four digits."""
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


def calibrate(taxonomy: Taxonomy, judged: Sequence[Judged]) -> Taxonomy:
    """Choose thresholds for each strictness, then the map from logits to scores; all on the `tuned` sets."""
    tuned = [found for found in judged if found.texts.tuned]
    beep = [found for found in judged if found.texts.name.startswith("BEEP")]
    raw = {
        STANDARD: _choose(taxonomy, STANDARD, tuned, _limits(tuned, 1.0), []),
        LENIENT: _choose(taxonomy, LENIENT, tuned, _limits(tuned, _LENIENT_SHARE), []),
        STRICT: _choose(taxonomy, STRICT, tuned, _limits(tuned, _STRICT_SHARE), beep),
    }
    raw[STANDARD][_insult(taxonomy)] = max(raw[STANDARD][_insult(taxonomy)], FOLD)
    raw[LENIENT] = np.maximum(raw[LENIENT], raw[STANDARD])
    raw[STRICT] = np.minimum(raw[STRICT], raw[STANDARD])
    raw[STRICT] = _read_by_the_strictest(taxonomy, raw[STRICT], tuned, beep)
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
    taxonomy: Taxonomy, level: str, judged: Sequence[Judged], limits: Mapping[str, float], beep: Sequence[Judged]
) -> Floats:
    """Thresholds `[accusing labels]` on logits: the best of all on the grid, after smoothing.

    A peak of a dev set is mostly luck, so a point counts no more than it does with its neighbours. Of points that are
    as good but for luck, the one that meets most goals and then flags least harmless text.
    """
    fixed = [_FIXED.get(taxonomy.names[index], {}).get(level) for index in taxonomy.accusing]
    shares = {found.texts.name: flagged_shares(found.logits[:, taxonomy.accusing], fixed) for found in judged}
    merit: Floats = _merit(judged, shares, limits) + np.float32(3) * _beep_macro_f1(beep, taxonomy, fixed)
    smooth = merit
    for axis in range(merit.ndim):
        smooth = _smooth(smooth, axis)
    sure = np.minimum(merit, smooth)
    preferred = np.where(sure >= sure.max() - _LUCK, _goals_met(judged, shares, limits), -np.inf)
    best = iter(np.unravel_index(int(np.argmax(preferred)), sure.shape))
    return np.array([_GRID[next(best)] if value is None else value for value in fixed], dtype=np.float32)


def _read_by_the_strictest(
    taxonomy: Taxonomy, strict: Floats, judged: Sequence[Judged], beep: Sequence[Judged]
) -> Floats:
    """`strict` with the highest threshold of `insult` below the fold that reaches BEEP's goal, where one does.

    Down there the logit is what BEEP's annotators would say (`folded`). Where more than `_CALM` would be flagged of the
    calm sets, `strict` stays as it is.
    """
    place = _insult(taxonomy)
    calm = [found for found in judged if found.texts.name in _CALM]
    if not beep or not calm:
        return strict
    cuts = np.round(np.arange(FOLD - 0.05, FOLD - 7.0, -0.05), 2)
    reached = []
    for cut in cuts:
        lowered = strict.copy()
        lowered[place] = cut
        reached.append((_macro_f1_at(beep, taxonomy, lowered), lowered))
    smooth = np.convolve(np.pad([score for score, _ in reached], 3, mode="edge"), np.ones(7) / 7, mode="valid")
    for score, (_, lowered) in zip(smooth, reached, strict=True):
        if score >= _BEEP_GOAL:
            kept = all(_flagged_at(found, taxonomy, lowered).mean() <= _CALM[found.texts.name] for found in calm)
            return lowered if kept else strict
    return strict


def _insult(taxonomy: Taxonomy) -> int:
    """The place of `insult` among the accusing labels."""
    return [taxonomy.names[index] for index in taxonomy.accusing].index("insult")


def _flagged_at(found: Judged, taxonomy: Taxonomy, thresholds: Floats) -> Flags:
    return np.asarray((found.logits[:, taxonomy.accusing] >= thresholds).any(axis=1))


def _macro_f1_at(beep: Sequence[Judged], taxonomy: Taxonomy, thresholds: Floats) -> float:
    flagged = np.concatenate([_flagged_at(found, taxonomy, thresholds) for found in beep])
    truth = np.concatenate([np.full(len(found.logits), found.texts.bad) for found in beep])
    return confusion(flagged, truth).macro_f1


def flagged_shares(logits: Floats, fixed: Sequence[float | None]) -> Floats:
    """The share of texts that any label flags, for each point of the grid of thresholds of the labels not `fixed`.

    `logits` are `[texts, labels]`. A text is left alone where every logit lies below its threshold: a cumulative count.
    """
    held = np.array([np.inf if value is None else value for value in fixed], dtype=np.float32)
    free = [place for place, value in enumerate(fixed) if value is None]
    rest = logits[(logits < held).all(axis=1)][:, free]
    reached = np.searchsorted(_GRID.astype(np.float32), rest, side="right")
    alone: Floats = np.zeros((len(_GRID) + 1,) * len(free), dtype=np.float32)
    np.add.at(alone, tuple(reached.T), 1)
    for axis in range(alone.ndim):
        alone = np.cumsum(alone, axis).astype(np.float32)
    left_alone = alone[(slice(0, len(_GRID)),) * len(free)] / len(logits)
    shares: Floats = (1 - left_alone).astype(np.float32)
    return shares


def _smooth(values: Floats, axis: int) -> Floats:
    """The weighted mean of each value and its two neighbours along one axis."""
    padded = np.pad(values, [(1, 1) if place == axis else (0, 0) for place in range(values.ndim)], mode="edge")
    low, middle, high = (np.take(padded, np.arange(start, start + values.shape[axis]), axis) for start in range(3))
    smooth: Floats = 0.25 * low + 0.5 * middle + 0.25 * high
    return smooth


def _merit(judged: Sequence[Judged], shares: Mapping[str, Floats], limits: Mapping[str, float]) -> Floats:
    """What is found, less a steep price for each harmless set over its limit; a value for each point of the grid."""
    total = np.zeros_like(next(iter(shares.values())))
    for found in judged:
        share = shares[found.texts.name]
        if found.texts.bad:
            goal = found.texts.limit or 0.0
            total += share + 3 * np.minimum(share - goal, 0.0)
        else:
            limit = _MARGIN * limits[found.texts.name]
            total -= 10 * np.maximum(share - limit, 0.0) / max(limit, 0.01) + share
    return total


def _goals_met(judged: Sequence[Judged], shares: Mapping[str, Floats], limits: Mapping[str, float]) -> Floats:
    """How many sets are within their limit or reach their goal, for each point of the grid.

    Less a fraction for what is flagged of the harmless ones, each set measured by its limit.
    """
    total = np.zeros_like(next(iter(shares.values())))
    for found in judged:
        share = shares[found.texts.name]
        if found.texts.bad:
            total += share >= (found.texts.limit or 0.0)
        else:
            limit = limits[found.texts.name]
            total += (share <= limit) - share / max(limit, 0.01) / 1_000
    return total


def _beep_macro_f1(beep: Sequence[Judged], taxonomy: Taxonomy, fixed: Sequence[float | None]) -> Floats | float:
    """The macro-F1 over BEEP's sets for each point of the grid; 0 without them."""
    if not beep:
        return 0.0
    flagged = [
        (item.texts.bad, len(item.logits), flagged_shares(item.logits[:, taxonomy.accusing], fixed)) for item in beep
    ]
    found = sum(count * share for bad, count, share in flagged if bad)
    wrong = sum(count * share for bad, count, share in flagged if not bad)
    bad_texts = sum(count for bad, count, _ in flagged if bad)
    good_texts = sum(count for bad, count, _ in flagged if not bad)
    of_bad = 2 * found / np.maximum(found + wrong + bad_texts, 1)
    left, missed = good_texts - wrong, bad_texts - found
    of_good = 2 * left / np.maximum(left + missed + good_texts, 1)
    score: Floats = np.asarray((of_bad + of_good) / 2, dtype=np.float32)
    return score


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
        fit_knots(logits, truth, weights, turn, low=_LEAST_SLOPE_FOLDED if label.name == "insult" else _LEAST_SLOPE)
        if truth.any()
        else ((turn - 1.0, -1.0), (turn, 0.0), (turn + 1.0, 1.0))
    )
    steepness = _STEEPNESS.get(label.name, 1.0)
    knots = tuple((raw, round(served * steepness, 4) if served > 0 else served) for raw, served in knots)
    at = calibrated_logits(np.array([thresholds[level] for level in STRICTNESSES], dtype=np.float32), knots)
    scores = {
        level: 0.5 if thresholds[level] == turn else _between(float(score))
        for level, score in zip(STRICTNESSES, sigmoid(at), strict=True)
    }
    return replace(label, knots=knots, thresholds=scores)


def _between(score: float) -> float:
    """A threshold between two scores of four digits, so that a score counts if and only if it does as it is shown."""
    return round(round(score, 4) - 5e-5, 5)


def fit_knots(logits: Floats, truth: Flags, weights: Floats, turn: float, low: float = _LEAST_SLOPE) -> Knots:
    """A monotone map from logits to score logits that is 0 at `turn`, else as the observed rates are.

    It rises by `low` a logit at least below the fold.

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
        slope = low if places[place] < FOLD else _LEAST_SLOPE
        served[place] = min(served[place], served[place + 1] - slope * (places[place + 1] - places[place]))
    return tuple((round(float(raw), 3), round(float(value), 4)) for raw, value in zip(places, served, strict=True))
