from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles.calibration import make_curve

KNOTS = [(-2.0, -1.0), (0.0, 0.0), (1.0, 3.0)]
steps = st.lists(st.tuples(st.floats(0.01, 10), st.floats(0.01, 10)), min_size=2, max_size=6)


def test_a_curve_is_linear_between_knots_and_goes_on_with_the_outer_slopes() -> None:
    curve = make_curve(KNOTS)

    assert [curve(x) for x, _ in KNOTS] == [y for _, y in KNOTS]
    assert (curve(-1.0), curve(0.5)) == (-0.5, 1.5)
    assert (curve(-4.0), curve(3.0)) == (-2.0, 9.0)


def test_two_knots_make_a_line() -> None:
    curve = make_curve([(0.0, 1.0), (2.0, 5.0)])
    assert [curve(x) for x in (-1.0, 1.0, 3.0)] == [-1.0, 3.0, 7.0]


@given(steps=steps, places=st.lists(st.floats(-100, 100), min_size=2, unique=True))
def test_a_curve_goes_through_its_knots_and_rises_everywhere(
    steps: list[tuple[float, float]], places: list[float]
) -> None:
    knots = [(sum(x for x, _ in steps[:n]) - 20, sum(y for _, y in steps[:n]) - 20) for n in range(1, len(steps) + 1)]
    curve = make_curve(knots)

    assert [curve(x) for x, _ in knots] == pytest.approx([y for _, y in knots], abs=1e-6)
    assert all(curve(left) <= curve(right) for left, right in pairwise(sorted(places)))
