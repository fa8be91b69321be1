"""Lets threads that keep the processor busy give way to each other, so that only one of them wants Python's lock.

Three busy threads finish no sooner than one at a time would, and the event loop has to wait for each of them.
"""

import threading
import time

# A pause ends after this long, however much the others have done.
MAX_PAUSE_S = 0.05


class SharedWork:
    """How long all of them have worked, in seconds of processor time. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._total_s = 0.0

    def begin(self) -> "Share":
        """The share of the current thread, which begins to work."""
        return Share(self)

    def add(self, worked_s: float) -> float:
        """Count what a thread has done since it last said so; returns the sum of all."""
        with self._lock:
            self._total_s += worked_s
            return self._total_s


class Share:
    """The work of one thread."""

    def __init__(self, shared: SharedWork) -> None:
        self._shared = shared
        self._since_s = time.thread_time()
        self._seen_s = shared.add(0.0)

    def pause_s(self) -> float:
        """How long to sleep now: as long as others have worked since this was last asked."""
        now_s = time.thread_time()
        worked_s, self._since_s = now_s - self._since_s, now_s
        total_s = self._shared.add(worked_s)
        others_s, self._seen_s = total_s - self._seen_s - worked_s, total_s
        return min(MAX_PAUSE_S, max(0.0, others_s))
