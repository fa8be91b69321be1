"""Counters of the model threads, and their speed while they compute."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from shared.messages import Throughput

RECENT_BATCHES = 64


class PassTime(NamedTuple):
    """When a pass began and ended, in seconds of `time.perf_counter`.

    `share_s` is its share of that time: passes that run at the same time divide it among themselves.
    """

    began_at: float
    ended_at: float
    share_s: float

    @property
    def elapsed_s(self) -> float:
        """Seconds that the pass took."""
        return self.ended_at - self.began_at


class _Pass(NamedTuple):
    texts: float
    cost: float
    tokens: int
    share_s: float


class BatchStats:
    """Written by the model threads, read by the heartbeat. `on_pass` gets the lengths and the seconds of each pass."""

    def __init__(self) -> None:
        self.on_pass: Callable[[Sequence[int], float], None] = lambda _lengths, _elapsed_s: None
        # Seconds that the newest pass took.
        self.last_pass_s = 0.0
        self._lock = threading.Lock()
        self._recent: deque[_Pass] = deque(maxlen=RECENT_BATCHES)
        self._texts = 0.0
        self._running = 0
        self._shared_s = self._shared_until = 0.0
        self._windows = self._batches = self._failed = self._tokens = self._padding = 0

    def begin_pass(self) -> tuple[float, float]:
        """Note that a pass begins; `end_pass` wants what this returns."""
        return self._note_running(1)

    def end_pass(self, begun: tuple[float, float]) -> PassTime:
        """Note that the pass has ended, well or not; returns its time."""
        ended_at, shared_s = self._note_running(-1)
        return PassTime(begun[0], ended_at, shared_s - begun[1])

    def _note_running(self, change: int) -> tuple[float, float]:
        """The time, and the seconds in which a pass ran until now, divided among those that ran at the same time."""
        with self._lock:
            now = time.perf_counter()
            if self._running:
                self._shared_s += (now - self._shared_until) / self._running
            self._shared_until = now
            self._running += change
            return now, self._shared_s

    def record(self, lengths: Sequence[int], texts: float, taken: PassTime, cost: float = 0.0) -> None:
        """Count one pass over windows of these lengths, which were `texts` texts in parts.

        `cost` is theirs, in the unit of `shared.cost`.
        """
        self.last_pass_s = taken.elapsed_s
        self.on_pass(lengths, taken.elapsed_s)
        with self._lock:
            self._windows += len(lengths)
            self._texts += texts
            self._batches += 1
            self._tokens += sum(lengths)
            self._padding += max(lengths) * len(lengths) - sum(lengths)
            self._recent.append(_Pass(texts, cost, sum(lengths), taken.share_s))

    def record_failure(self) -> None:
        """Count one text on which the model raised."""
        with self._lock:
            self._failed += 1

    def snapshot(self) -> Throughput:
        """The counters now."""
        with self._lock:
            recent = list(self._recent)
            busy_s = sum(done.share_s for done in recent)
            recent_texts = sum(done.texts for done in recent)
            return Throughput(
                texts=round(self._texts),
                batches=self._batches,
                failed_texts=self._failed,
                tokens=self._tokens,
                padding_tokens=self._padding,
                mean_batch_size=round(self._windows / self._batches, 2) if self._batches else 0.0,
                texts_per_s=round(recent_texts / busy_s, 1) if busy_s else 0.0,
                cost_per_s=round(_loaded_speed(recent), 1),
            )


def _loaded_speed(passes: Sequence[_Pass]) -> float:
    """Cost per second of the larger passes: small ones, of an idle service, say little of its speed under load."""
    largest = max((done.tokens for done in passes), default=0)
    large = [done for done in passes if done.tokens >= largest / 2]
    busy_s = sum(done.share_s for done in large)
    return sum(done.cost for done in large) / busy_s if busy_s else 0.0


def seconds_covered(passes: Sequence[PassTime]) -> float:
    """Seconds in which at least one of these passes ran; a pass may be there more than once."""
    if len(passes) == 1:
        return passes[0].elapsed_s
    covered_s, until = 0.0, float("-inf")
    for taken in sorted(passes):
        covered_s += max(0.0, taken.ended_at - max(taken.began_at, until))
        until = max(until, taken.ended_at)
    return covered_s
