"""The result cache: what the model said of texts that it has read, by the hash of the normalised text.

It holds logits and no verdict: thresholds, policies and corrections are applied to each text after it, so a change of
theirs counts at once. It lives in one worker process, which serves one revision of one model.
"""

import hashlib
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future

import numpy as np

from worker.inference.engines.protocol import Logits
from worker.inference.turns import TextResults, rows_of_text
from worker.inference.waiting import Priority

# What Python adds to the bytes of one result (key, objects, places in the table), measured with tracemalloc.
ENTRY_OVERHEAD_BYTES = 420
_HASH_BYTES = 16
_CASCADE = b"cascade"

Rows = Sequence[Logits]


class Flight:
    """A text that the model is reading, and those who wait for it. `rows` ends as the logits of its windows."""

    def __init__(self, key: bytes, priority: Priority, on_end: Callable[["Flight", Rows | None], None]) -> None:
        self.key = key
        self.priority = priority
        self.rows: Future[Rows] = Future()
        self.waiting = 1
        self._on_end = on_end
        self._read: Future[TextResults] | None = None
        self._lock = threading.Lock()
        self._has_ended = False

    def follow(self, read: "Future[TextResults]") -> None:
        """End when the model has read the text."""
        self._read = read
        read.add_done_callback(self._look)

    def fail(self, error: Exception) -> None:
        """End as `error`: the text never came to the model."""
        if self._ends():
            self._on_end(self, None)
            self.rows.set_exception(error)

    def cancel(self) -> None:
        """Do not read what has not been read: nobody waits."""
        if self._read is not None:
            self._read.cancel()

    def _ends(self) -> bool:
        """Whether this call is the one that ends it: its windows may end in several threads."""
        with self._lock:
            is_first, self._has_ended = not self._has_ended, True
            return is_first

    def _look(self, read: "Future[TextResults]") -> None:
        if not self._ends():
            return
        error = None if read.cancelled() else read.exception()
        rows = None if read.cancelled() or error else rows_of_text(read.result())
        self._on_end(self, rows)
        if rows is not None:
            self.rows.set_result(rows)
        elif error is not None:
            self.rows.set_exception(error)
        else:
            self.rows.cancel()


class ResultCache:
    """Thread-safe. Holds the results of the texts asked for last, in at most `max_bytes`; 0 holds nothing.

    A text that the model is reading already is waited for, not read again. An interactive text does not wait for a
    bulk one, whose turn may come late.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.bytes = self.stored_hits = self.joined_hits = self.misses = 0
        # Nobody outside knows it, so nobody can write a text that has another text's hash.
        self._secret = secrets.token_bytes(16)
        self._lock = threading.Lock()
        self._stored: OrderedDict[bytes, tuple[int, bytes]] = OrderedDict()
        self._in_flight: dict[bytes, Flight] = {}

    def __len__(self) -> int:
        """How many results are stored."""
        return len(self._stored)

    @property
    def is_on(self) -> bool:
        """Whether it holds anything."""
        return self.max_bytes > 0

    def find(
        self, text: str, priority: Priority, *, may_cascade: bool = False
    ) -> tuple[Rows | None, Flight | None, bool]:
        """What the model said of the normalised `text`; else the flight to wait for, and whether the caller leads it.

        Where the cascade may answer a text, its answer is another entry than the model's. Who leads a flight must make
        it `follow` the windows of the text, or `fail`.
        """
        key = hashlib.blake2b(
            text.encode("utf-8", "surrogatepass"),
            digest_size=_HASH_BYTES,
            key=self._secret,
            person=_CASCADE if may_cascade else b"",
        ).digest()
        with self._lock:
            stored = self._stored.get(key)
            if stored is not None:
                self._stored.move_to_end(key)
                self.stored_hits += 1
                windows, packed = stored
                return list(np.frombuffer(packed, np.float32).reshape(windows, -1)), None, False
            flight = self._in_flight.get(key)
            if flight is not None and flight.priority <= priority:
                flight.waiting += 1
                self.joined_hits += 1
                return None, flight, False
            self.misses += 1
            flight = self._in_flight[key] = Flight(key, priority, self._end)
            return None, flight, True

    def leave(self, flight: Flight) -> bool:
        """One caller stops waiting for `flight`; returns whether nobody is left, so that it need not be computed."""
        with self._lock:
            flight.waiting -= 1
            if flight.waiting:
                return False
            self._forget(flight)
            return True

    def _end(self, flight: Flight, rows: Rows | None) -> None:
        with self._lock:
            self._forget(flight)
            if rows is not None:
                self._store(flight.key, len(rows), np.stack(rows).astype(np.float32, copy=False).tobytes())

    def _forget(self, flight: Flight) -> None:
        if self._in_flight.get(flight.key) is flight:
            del self._in_flight[flight.key]

    def _store(self, key: bytes, windows: int, packed: bytes) -> None:
        before = self._stored.pop(key, None)
        if before is not None:
            self.bytes -= _size(before[1])
        self._stored[key] = (windows, packed)
        self.bytes += _size(packed)
        while self.bytes > self.max_bytes:
            _, (_, oldest) = self._stored.popitem(last=False)
            self.bytes -= _size(oldest)


def _size(packed: bytes) -> int:
    return len(packed) + ENTRY_OVERHEAD_BYTES
