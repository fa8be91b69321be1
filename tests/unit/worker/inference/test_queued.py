"""Which of the windows of one priority a pass takes."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from worker.inference.queued import PASS_TOKENS, QueuedWindows
from worker.inference.turns import Window


def queued(lengths: Sequence[int]) -> QueuedWindows:
    """Windows of these lengths, the oldest first."""
    waiting = QueuedWindows()
    waiting.add(Window([0] * length, turn=(0.0, number)) for number, length in enumerate(lengths))
    return waiting


def lengths_of(rows: Sequence[Window]) -> list[int]:
    return [len(row.token_ids) for row in rows]


def left(waiting: QueuedWindows) -> list[Window]:
    """What waits, the oldest first."""
    return sorted(waiting.clear(), key=lambda window: window.turn)


def test_a_batch_starts_with_the_oldest_row_and_adds_those_nearest_in_length() -> None:
    waiting = queued([10, 60, 11, 3, 9, 58])

    assert lengths_of(waiting.take_pass(33)) == [10, 11, 9]
    assert lengths_of(left(waiting)) == [60, 3, 58]


def test_the_budget_counts_padding() -> None:
    waiting = queued([10, 9, 9, 9])

    assert lengths_of(waiting.take_pass(30)) == [10, 9, 9]


def test_rows_of_other_lengths_wait_for_a_pass_of_their_own() -> None:
    waiting = queued([30, 5, 30, 27])

    assert lengths_of(waiting.take_pass(200)) == [30, 30, 27]
    assert lengths_of(left(waiting)) == [5]


def test_a_row_that_would_be_left_over_alone_is_taken_if_that_costs_less_than_a_pass() -> None:
    few, many = queued([10, 3]), queued([10, 3, 10, 10, 3, 3, 3])

    assert lengths_of(few.take_pass(200)) == [10, 3]
    assert lengths_of(many.take_pass(200)) == [10, 10, 10]


def test_a_row_over_the_budget_is_run_alone() -> None:
    waiting = queued([100, 1])

    assert lengths_of(waiting.take_pass(30)) == [100]


def test_a_window_whose_turn_is_earlier_goes_before_those_of_its_length_that_came_first() -> None:
    waiting = queued([10, 12, 10])
    late, early = Window([0] * 10, turn=(5.0, 3)), Window([0] * 10, turn=(-1.0, 4))
    waiting.add([late, early])

    assert waiting.oldest is early
    batch = waiting.take_pass(1_000)
    assert [window.turn for window in batch] == [(-1.0, 4), (0.0, 0), (0.0, 2), (5.0, 3), (0.0, 1)]


@given(lengths=st.lists(st.integers(1, 128), min_size=1, max_size=700), budget=st.integers(16, 2048))
def test_passes_lose_and_double_no_row_keep_to_the_budget_and_take_the_nearest_lengths(
    lengths: list[int], budget: int
) -> None:
    waiting = queued(lengths)
    length_of = dict(enumerate(lengths))
    while waiting:
        target = length_of[min(length_of)]
        nearest = sorted(length_of, key=lambda number: (abs(length_of[number] - target), number))
        batch = waiting.take_pass(budget)
        assert [window.turn[1] for window in batch] == nearest[: len(batch)]
        padded = max(lengths_of(batch)) * len(batch)
        assert len(batch) == 1 or padded <= budget
        # A token costs no more than in a pass of the oldest row alone, or the padding less than another pass.
        tokens = sum(lengths_of(batch))
        assert padded - tokens <= max(PASS_TOKENS * (tokens / target - 1) + 1e-9, PASS_TOKENS)
        for window in batch:
            assert length_of.pop(window.turn[1]) == len(window.token_ids)
        assert (len(waiting), waiting.tokens) == (len(length_of), sum(length_of.values()))
    assert not length_of
