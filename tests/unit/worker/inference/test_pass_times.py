"""The time that passes take, where several run at the same time."""

import pytest

from worker.inference.stats import BatchStats, PassTime, seconds_covered


def test_passes_at_the_same_time_divide_the_time_among_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 2.0, 4.0, 10.0])
    monkeypatch.setattr("worker.inference.stats.time.perf_counter", lambda: next(clock))
    stats = BatchStats()
    first, second = stats.begin_pass(), stats.begin_pass()

    assert stats.end_pass(first) == PassTime(0.0, 4.0, 3.0)
    assert stats.end_pass(second) == PassTime(2.0, 10.0, 7.0)


def test_the_speed_is_that_of_all_threads_together() -> None:
    stats = BatchStats()
    for _ in range(2):
        stats.record([16] * 4, 4.0, PassTime(0.0, 1.0, 0.5), cost=40)

    snapshot = stats.snapshot()
    assert (snapshot.texts_per_s, snapshot.cost_per_s) == (8.0, 80.0)


def test_the_time_of_a_text_counts_moments_in_which_several_of_its_passes_ran_once() -> None:
    passes = [PassTime(0.0, 2.0, 2.0), PassTime(1.0, 3.0, 1.0), PassTime(1.5, 1.6, 0.1), PassTime(5.0, 6.0, 1.0)]

    assert seconds_covered(passes) == 4.0
