from hypothesis import given
from hypothesis import strategies as st

from bundles.windows import split_windows


def test_a_text_that_fits_is_one_window() -> None:
    assert split_windows([1, 2, 3], 3) == [[1, 2, 3]]


def test_an_empty_text_is_one_empty_window() -> None:
    assert split_windows([], 3) == [[]]


def test_windows_overlap_by_a_quarter_and_the_last_one_is_full() -> None:
    assert split_windows(list(range(10)), 4) == [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 8, 9]]


@given(tokens=st.integers(0, 500), window=st.integers(1, 64))
def test_every_token_is_in_a_window_in_order_and_no_window_is_too_long(tokens: int, window: int) -> None:
    windows = split_windows(range(tokens), window)

    assert all(len(part) <= window for part in windows)
    assert {token for part in windows for token in part} == set(range(tokens))
    starts = [part[0] for part in windows if part]
    assert starts == sorted(set(starts))
