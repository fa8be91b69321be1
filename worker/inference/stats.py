"""Counters of the model thread: what it has done, and how fast it is while it computes."""

import threading
from collections import deque
from collections.abc import Callable, Sequence

from shared.messages import Throughput

RECENT_BATCHES = 64


class BatchStats:
    """Written by the model thread, read by the heartbeat. `on_pass` is told of every pass: its lengths, its seconds."""

    def __init__(self) -> None:
        self.on_pass: Callable[[Sequence[int], float], None] = lambda _lengths, _elapsed_s: None
        self._lock = threading.Lock()
        self._recent: deque[tuple[int, float]] = deque(maxlen=RECENT_BATCHES)
        self._rows = self._batches = self._failed = self._tokens = self._padding = 0

    def record(self, lengths: Sequence[int], elapsed_s: float) -> int:
        """Count one pass over rows of these lengths; returns its number."""
        self.on_pass(lengths, elapsed_s)
        with self._lock:
            self._rows += len(lengths)
            self._batches += 1
            self._tokens += sum(lengths)
            self._padding += max(lengths) * len(lengths) - sum(lengths)
            self._recent.append((len(lengths), elapsed_s))
            return self._batches

    def record_failure(self) -> None:
        """Count one text on which the model raised."""
        with self._lock:
            self._failed += 1

    def snapshot(self) -> Throughput:
        """The counters now."""
        with self._lock:
            busy_s = sum(elapsed_s for _, elapsed_s in self._recent)
            recent_rows = sum(rows for rows, _ in self._recent)
            return Throughput(
                texts=self._rows,
                batches=self._batches,
                failed_texts=self._failed,
                tokens=self._tokens,
                padding_tokens=self._padding,
                mean_batch_size=round(self._rows / self._batches, 2) if self._batches else 0.0,
                texts_per_s=round(recent_rows / busy_s, 1) if busy_s else 0.0,
            )
