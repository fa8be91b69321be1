from collections.abc import Sequence
from typing import Any

import pytest
from fakeredis import FakeRedis

from shared import keys
from shared.settings import load_settings
from worker.inference.batcher import MicroBatcher
from worker.watchdog import Watchdog

STALL_S = 30.0


class NoEngine:
    """Nothing comes to the model."""

    def run(self, rows: Sequence[Sequence[int]]) -> Any:
        raise AssertionError(rows)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("worker.watchdog.time.monotonic", clock)
    return clock


@pytest.fixture
def batcher() -> MicroBatcher:
    return MicroBatcher(NoEngine(), max_batch_tokens=32)


@pytest.fixture
def watchdog(batcher: MicroBatcher) -> Watchdog:
    redis = FakeRedis()
    redis.lpush(keys.queue(keys.INTERACTIVE_QUEUE), b"a message that waits")
    heartbeat: Any = None
    return Watchdog(batcher, heartbeat, redis, load_settings(stall_timeout_s=STALL_S))


def test_a_consumer_that_takes_no_message_while_one_waits_is_silent(watchdog: Watchdog, clock: Clock) -> None:
    assert not watchdog._consumer_is_silent()
    clock.now += STALL_S
    assert not watchdog._consumer_is_silent()
    clock.now += 1
    assert watchdog._consumer_is_silent()


def test_one_whose_messages_are_answered_without_the_model_is_not(
    watchdog: Watchdog, batcher: MicroBatcher, clock: Clock
) -> None:
    """By the result cache, a correction, a policy or the cascade."""
    for _ in range(5):
        with batcher.interactive():
            pass
        assert not watchdog._consumer_is_silent()
        clock.now += STALL_S
