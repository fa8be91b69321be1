"""From our verdict to Perspective's scores. docs/perspective.md explains the scale to users.

A score of 0.8 or more means: counts. That is the verdict's own decision, so this door never disagrees with `/predict`.
0.7 is where `strict` decides and 0.9 where `lenient` does; between these points the scale is straight. So the
thresholds that Perspective's users have, 0.7 to 0.9, choose a strictness.
"""

from bisect import bisect_right
from collections.abc import Mapping

from shared.messages import ModelInfo
from shared.verdict import Verdict

STRICT_AT, COUNTS_AT, LENIENT_AT = 0.7, 0.8, 0.9
# The highest score of what does not count.
BELOW = 0.7999
DIGITS = 6

LABELS: Mapping[str, str] = {"IDENTITY_ATTACK": "hate", "INSULT": "insult", "PROFANITY": "curse", "THREAT": "threat"}
# An insult or hatred in coarse words, and hatred that insults: two of these together are severe.
_SEVERE_TOGETHER = ("IDENTITY_ATTACK", "INSULT", "PROFANITY")
TOXICITY, SEVERE_TOXICITY = "TOXICITY", "SEVERE_TOXICITY"
TOXIC_ATTRIBUTES = (TOXICITY, SEVERE_TOXICITY)
ATTRIBUTES = (*TOXIC_ATTRIBUTES, *LABELS)


class AttributeScale:
    """The scale of one model."""

    def __init__(self, model: ModelInfo) -> None:
        self._model = model
        self._is_multi_label = bool(model.thresholds)
        self._accusing = [label for label in model.labels if label != model.clean_label and not _is_kind(label, model)]
        self.attributes = _attributes(model)

    def values(self, verdict: Verdict) -> dict[str, float]:
        """Perspective's score of each of `attributes`, 0 to 1. Each rises with every score of ours that it reads."""
        is_clean = verdict.classification == self._model.clean_label
        values = {
            attribute: self._value(LABELS[attribute], verdict, is_clean=is_clean)
            for attribute in LABELS
            if attribute in self.attributes
        }
        highest = max((self._stretch(label, verdict) for label in self._accusing), default=0.0)
        values[TOXICITY] = _on_its_side(highest, counts=not is_clean)
        if SEVERE_TOXICITY in self.attributes:
            together = sorted(values.get(attribute, 0.0) for attribute in _SEVERE_TOGETHER)
            values[SEVERE_TOXICITY] = max(together[-2], values.get("THREAT", 0.0))
        return {attribute: round(value, DIGITS) for attribute, value in values.items()}

    def _value(self, label: str, verdict: Verdict, *, is_clean: bool) -> float:
        value = self._stretch(label, verdict)
        if label in verdict.labels:
            return _on_its_side(value, counts=True)
        # Of several labels one alone is named by a model that has no thresholds; the others may be as true.
        return _on_its_side(value, counts=False) if is_clean or self._is_multi_label else value

    def _stretch(self, label: str, verdict: Verdict) -> float:
        score = verdict.scores.get(label, 0.0)
        if not self._is_multi_label:
            # The scores share one: a label stands out when it is above `clean`.
            clean = verdict.scores.get(str(self._model.clean_label), 0.0)
            score = score / (score + clean) if score else 0.0
        return stretch(score, self._turns(label))

    def _turns(self, label: str) -> tuple[float, float, float]:
        """The scores from which the label counts: where one is strict, as the service is set, where one is lenient."""
        standard = self._model.thresholds.get(label, 0.5)
        levels = [level.get(label, standard) for level in self._model.levels.values()] or [standard]
        return min(*levels, standard), standard, max(*levels, standard)


def stretch(score: float, turns: tuple[float, float, float]) -> float:
    """`score` on Perspective's scale, which has 0.7, 0.8 and 0.9 at the three rising `turns`."""
    points = [(0.0, 0.0), *zip(turns, (STRICT_AT, COUNTS_AT, LENIENT_AT), strict=True), (1.0, 1.0)]
    place = bisect_right(points, score, key=lambda point: point[0])
    if place == len(points):
        return points[-1][1]
    (low, low_value), (high, high_value) = points[place - 1], points[place]
    return low_value + (high_value - low_value) * (score - low) / (high - low)


def _attributes(model: ModelInfo) -> frozenset[str]:
    """The attributes that a model can answer: none, if no label of it means clean."""
    if model.clean_label is None:
        return frozenset()
    found = {attribute for attribute, label in LABELS.items() if label in model.labels}
    if len(found.intersection(_SEVERE_TOGETHER)) > 1:
        found.add(SEVERE_TOXICITY)
    return frozenset({TOXICITY, *found})


def _is_kind(label: str, model: ModelInfo) -> bool:
    """Whether it is a label under another one (`hate/age`), which it does not count without."""
    return "/" in label and label.partition("/")[0] in model.labels


def _on_its_side(value: float, *, counts: bool) -> float:
    return max(value, COUNTS_AT) if counts else min(value, BELOW)
