"""Bounds the log lines about requests that failed: a flood must not fill the disk, nor cost as much as its answers."""

import logging
import time

# As many in a second as anybody reads; what is left out is counted, here and in the metrics.
LINES_PER_S = 50


class LogLimit:
    """Not thread-safe: it belongs to the event loop."""

    def __init__(self) -> None:
        self._second = 0
        self._lines = 0
        self._left_out = 0

    def take(self) -> int | None:
        """How many lines were left out since the last one; None where this one is left out too."""
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._lines = second, 0
        if self._lines >= LINES_PER_S:
            self._left_out += 1
            return None
        self._lines += 1
        left_out, self._left_out = self._left_out, 0
        return left_out


class FewWarnings(logging.Filter):
    """Bounds what a library says of what clients send; errors always pass."""

    def __init__(self) -> None:
        super().__init__()
        self._limit = LogLimit()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written."""
        return record.levelno > logging.WARNING or self._limit.take() is not None
