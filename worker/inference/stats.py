"""Counters of the model thread, and its speed while it computes."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from shared.messages import Throughput

RECENT_BATCHES = 64


class _Pass(NamedTuple):
    texts: float
    cost: float
    tokens: int
    elapsed_s: float


class BatchStats:
    """Written by the model thread, read by the heartbeat. `on_pass` gets the lengths and the seconds of each pass."""

    def __init__(self) -> None:
        self.on_pass: Callable[[Sequence[int], float], None] = lambda _lengths, _elapsed_s: None
        self._lock = threading.Lock()
        self._recent: deque[_Pass] = deque(maxlen=RECENT_BATCHES)
        self._texts = 0.0
        self._windows = self._batches = self._failed = self._tokens = self._padding = 0

    def record(self, lengths: Sequence[int], texts: float, elapsed_s: float, cost: float = 0.0) -> int:
        """Count one pass over windows of these lengths, which were `texts` texts in parts; returns its number.

        `cost` is theirs, in the unit of `shared.cost`.
        """
        self.on_pass(lengths, elapsed_s)
        with self._lock:
            self._windows += len(lengths)
            self._texts += texts
            self._batches += 1
            self._tokens += sum(lengths)
            self._padding += max(lengths) * len(lengths) - sum(lengths)
            self._recent.append(_Pass(texts, cost, sum(lengths), elapsed_s))
            return self._batches

    def record_failure(self) -> None:
        """Count one text on which the model raised."""
        with self._lock:
            self._failed += 1

    def snapshot(self) -> Throughput:
        """The counters now."""
        with self._lock:
            recent = list(self._recent)
            busy_s = sum(done.elapsed_s for done in recent)
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
    busy_s = sum(done.elapsed_s for done in large)
    return sum(done.cost for done in large) / busy_s if busy_s else 0.0
