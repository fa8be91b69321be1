"""The calibration of a bundle: maps a logit of the graph to the logit of the score that is served."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise

from bundles.format import Knot

Curve = Callable[[float], float]


def make_curve(knots: Sequence[Knot]) -> Curve:
    """The line through two or more strictly rising `knots`, carried on beyond them with the outer slopes."""
    inner = [x for x, _ in knots[1:-1]]
    segments = [(*left, (right[1] - left[1]) / (right[0] - left[0])) for left, right in pairwise(knots)]

    def curve(logit: float) -> float:
        x, y, slope = segments[bisect_right(inner, logit)]
        return y + slope * (logit - x)

    return curve
