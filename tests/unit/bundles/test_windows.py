from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bundles.windows import split_windows


def test_a_text_that_fits_is_one_window() -> None:
    assert split_windows([1, 2, 3], 3) == [[1, 2, 3]]


def test_an_empty_text_is_one_empty_window() -> None:
    assert split_windows([], 3) == [[]]


def test_windows_overlap_by_a_quarter() -> None:
    assert split_windows(list(range(10)), 4) == [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 8, 9]]


def test_windows_overlap_by_as_much_as_is_asked() -> None:
    assert split_windows(list(range(8)), 4, 0.5) == [[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 7]]


def test_a_text_a_little_too_long_is_read_in_two_windows_of_about_half_of_it() -> None:
    first, second = split_windows(range(50), 48)

    assert (len(first), len(second)) == (29, 29)


SHAPES = {"tokens": st.integers(0, 500), "window": st.integers(1, 64), "overlap": st.floats(0, 0.75)}


@given(**SHAPES)
def test_every_token_is_in_a_window_in_order_and_no_window_is_too_long(
    tokens: int, window: int, overlap: float
) -> None:
    windows = split_windows(range(tokens), window, overlap)

    assert all(len(part) <= window for part in windows)
    assert {token for part in windows for token in part} == set(range(tokens))
    starts = [part[0] for part in windows if part]
    assert starts == sorted(set(starts))


@given(**SHAPES)
def test_windows_are_equally_long_and_neighbours_share_what_is_asked(tokens: int, window: int, overlap: float) -> None:
    windows = split_windows(range(tokens), window, overlap)

    assert len({len(part) for part in windows}) == 1
    for before, after in pairwise(windows):
        # Rounding to whole tokens costs at most one at each end.
        assert before[-1] - after[0] + 1 >= len(before) * overlap - 2
