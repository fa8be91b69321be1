"""Which of the waiting windows a pass takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.inference.turns import TextLoad, Window, windows_of
from worker.inference.waiting import (
    BULK_ALONE_S,
    BULK_ALONE_SHARE,
    LATELY_S,
    MIN_SHARE_TOKENS,
    SHORT_PASS_TOKENS,
    SMALL_PASS_TOKENS,
    Priority,
    WaitingWindows,
)

BUDGETS = {Priority.INTERACTIVE: 256, Priority.BULK: 128}
BULK_ALONE = int(BUDGETS[Priority.BULK] * BULK_ALONE_SHARE)


def texts_of(*lengths: int, caller: int = 1) -> list[list[Window]]:
    """Texts of one window each."""
    return [windows_of([[0] * length], None, TextLoad(1, caller)) for length in lengths]


def lengths_of(batch: list[Window]) -> list[int]:
    return [len(window.token_ids) for window in batch]


def test_a_free_thread_gets_an_even_share_of_what_waits() -> None:
    waiting = WaitingWindows(BUDGETS)
    waiting.add(texts_of(*[20] * 12), Priority.INTERACTIVE)

    assert [lengths_of(waiting.take(free)) for free in (2, 1, 0)] == [[20] * 4] * 3


def test_a_busy_machine_gets_whole_passes() -> None:
    waiting = WaitingWindows(BUDGETS)
    waiting.add(texts_of(*[20] * 12), Priority.INTERACTIVE)

    assert lengths_of(waiting.take(0)) == [20] * 12


def test_a_share_is_not_too_small_to_be_worth_a_pass() -> None:
    waiting = WaitingWindows(BUDGETS)
    waiting.add(texts_of(*[10] * 7), Priority.INTERACTIVE)

    assert sum(lengths_of(waiting.take(5))) == MIN_SHARE_TOKENS // 10 * 10


def test_sharing_passes_among_threads_keeps_the_turns_of_callers() -> None:
    waiting = WaitingWindows(BUDGETS)
    waiting.add(texts_of(*[20] * 100), Priority.INTERACTIVE)
    waiting.take(1)
    waiting.take(0)
    waiting.add(texts_of(21, caller=2), Priority.INTERACTIVE)

    assert 21 in [length for free in (1, 0) for length in lengths_of(waiting.take(free))]


def test_a_caller_with_one_text_gets_a_small_pass_where_another_has_many() -> None:
    waiting = WaitingWindows(BUDGETS)
    waiting.add(texts_of(*[20] * 30, caller=1), Priority.INTERACTIVE)
    waiting.take(0)
    waiting.add(texts_of(20, caller=2), Priority.INTERACTIVE)

    passes = [waiting.take(0) for _ in range(2)]
    (own,) = [batch for batch in passes if any(window.text.load.flow == 2 for window in batch)]
    (other,) = [batch for batch in passes if batch is not own]
    assert sum(lengths_of(own)) == SMALL_PASS_TOKENS // 20 * 20
    assert sum(lengths_of(other)) == SHORT_PASS_TOKENS // 20 * 20


def test_passes_of_one_with_many_texts_are_short_only_while_others_come(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("worker.inference.waiting.time.monotonic", lambda: now)
    waiting = WaitingWindows(BUDGETS)

    def next_pass() -> int:
        waiting.add(texts_of(*[20] * 30, caller=1), Priority.INTERACTIVE)
        return sum(lengths_of(waiting.take(0)))

    alone = next_pass()
    waiting.add(texts_of(20, caller=2), Priority.INTERACTIVE)
    beside = [next_pass() for _ in range(3)]
    now += LATELY_S
    assert (alone, beside, next_pass()) == (240, [SMALL_PASS_TOKENS // 20 * 20, 120, 120], 240)


def test_passes_of_jobs_are_larger_while_nobody_waits_beside_them(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("worker.inference.waiting.time.monotonic", lambda: now)

    def bulk_passes(budgets: dict[Priority, int]) -> list[int]:
        nonlocal now
        waiting = WaitingWindows(budgets)
        waiting.add(texts_of(*[16] * 40), Priority.BULK)
        alone = sum(lengths_of(waiting.take(0)))
        waiting.add(texts_of(16), Priority.INTERACTIVE)
        waiting.take(0)
        beside = sum(lengths_of(waiting.take(0)))
        now += BULK_ALONE_S + 1
        return [alone, beside, sum(lengths_of(waiting.take(0)))]

    assert bulk_passes(BUDGETS) == [BULK_ALONE, 128, BULK_ALONE]
    # Never larger than a pass of interactive texts may be.
    assert bulk_passes({Priority.INTERACTIVE: 128, Priority.BULK: 128}) == [128] * 3


def test_a_caller_with_one_text_is_not_read_with_half_a_pass_of_another() -> None:
    waiting = WaitingWindows(BUDGETS)
    waiting.add(texts_of(*[20] * 14, caller=1), Priority.INTERACTIVE)
    waiting.take(1)
    waiting.add(texts_of(20, caller=2), Priority.INTERACTIVE)

    batches = [waiting.take(0) for _ in range(2)]
    (own,) = [batch for batch in batches if any(window.text.load.flow == 2 for window in batch)]
    assert sum(lengths_of(own)) <= SMALL_PASS_TOKENS


def test_callers_with_a_text_each_share_whole_passes() -> None:
    waiting = WaitingWindows(BUDGETS)
    for caller in range(40):
        waiting.add(texts_of(20, caller=caller), Priority.INTERACTIVE)

    assert [sum(lengths_of(waiting.take(0))) for _ in range(3)] == [240] * 3


@given(
    steps=st.lists(
        st.one_of(
            st.tuples(
                st.sampled_from(Priority), st.lists(st.integers(1, 64), min_size=1, max_size=40), st.integers(0, 3)
            ),
            st.integers(0, 7),
        ),
        max_size=60,
    )
)
def test_whatever_comes_and_goes_each_window_is_taken_once_and_within_the_budget(steps: list) -> None:
    waiting = WaitingWindows(BUDGETS)
    added: dict[int, Priority] = {}
    taken: list[int] = []

    def take(free: int) -> None:
        batch = waiting.take(free)
        assert bool(batch) == (len(added) > len(taken))
        if batch:
            (priority,) = {added[id(window)] for window in batch}
            most = BULK_ALONE if priority is Priority.BULK else BUDGETS[priority]
            assert len(batch) == 1 or max(lengths_of(batch)) * len(batch) <= most
            taken.extend(map(id, batch))

    kept = []  # so that no id is used twice
    for step in steps:
        if isinstance(step, int):
            take(step)
            continue
        priority, lengths, caller = step
        texts = texts_of(*lengths, caller=caller)
        kept.append(texts)
        added |= {id(window): priority for text in texts for window in text}
        waiting.add(texts, priority)
        assert len(waiting) == waiting.texts == len(added) - len(taken)
    while waiting:
        take(1)

    assert sorted(taken) == sorted(added)
    assert (len(waiting), waiting.texts) == (0, 0)
