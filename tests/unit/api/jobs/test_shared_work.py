"""Threads that work at the same time pause as long as the others have worked."""

import time

import pytest

from api.jobs.shared_work import MAX_PAUSE_S, Share, SharedWork


class Clock:
    """The processor time of one thread, which a test moves."""

    now_s = 0.0

    def work(self, share: Share, seconds: float) -> float:
        self.now_s += seconds
        return share.pause_s()


def test_each_of_two_pauses_as_long_as_the_other_has_worked_and_one_alone_never(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    monkeypatch.setattr(time, "thread_time", lambda: clock.now_s)
    shared = SharedWork()
    alone = shared.begin()
    assert [clock.work(alone, 0.25) for _ in range(3)] == [0.0] * 3

    first, second = shared.begin(), shared.begin()
    assert clock.work(first, 0.25) == 0.0
    second_pause = second.pause_s()  # the clock is one for both: it has worked as long
    assert second_pause == pytest.approx(MAX_PAUSE_S)


def test_whoever_waits_for_a_client_and_works_little_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    times = {"busy": 0.0, "idle": 0.0}
    now = "busy"
    monkeypatch.setattr(time, "thread_time", lambda: times[now])
    shared = SharedWork()
    busy = shared.begin()
    now = "idle"
    idle = shared.begin()
    for _ in range(3):
        now = "idle"
        times[now] += 0.001
        idle.pause_s()
        now = "busy"
        times[now] += 0.02
        assert busy.pause_s() == pytest.approx(0.001)
    now = "idle"
    times[now] += 0.001
    assert idle.pause_s() == pytest.approx(0.02)
