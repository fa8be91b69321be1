"""The messages that task threads have in hand, and when they are put among the unacknowledged ones.

Kombu writes each message there before anybody sees it, which takes as long as reading a lone text. Here a message is
written once it has been in hand for a while, by the consumer's thread, which has nothing else to do then. One whose
worker dies before that is sent again by the API, as is any that is lost on its way.
"""

import threading
import time
from collections.abc import Callable
from typing import Protocol

# Several times what a lone text takes, and far less than a worker's death takes to be noticed.
NOTE_AFTER_S = 0.02


class Notable(Protocol):
    """A message that was taken from the queue."""

    def note(self) -> None:
        """Put it among the unacknowledged ones, unless it has ended."""


class InHand:
    """`call_later` calls a function in the consumer's thread after so many seconds."""

    def __init__(self, call_later: Callable[[float, Callable[[], None]], object]) -> None:
        self._call_later = call_later
        self._lock = threading.Lock()
        # Not noted yet, oldest first, and since when they are in hand.
        self._fresh: dict[Notable, float] = {}
        self._is_due = False

    def add(self, message: Notable) -> None:
        """Note `message` in time; of the consumer's thread."""
        with self._lock:
            self._fresh[message] = time.monotonic()
        self._look_later()

    def remove(self, message: Notable) -> None:
        """It has ended. From any thread."""
        with self._lock:
            self._fresh.pop(message, None)

    def _look_later(self) -> None:
        if not self._is_due:
            self._is_due = True
            self._call_later(NOTE_AFTER_S, self._look)

    def _look(self) -> None:
        self._is_due = False
        until = time.monotonic() - NOTE_AFTER_S / 2
        with self._lock:
            due = [message for message, since in self._fresh.items() if since <= until]
            for message in due:
                del self._fresh[message]
            is_some = bool(self._fresh)
        for message in due:
            message.note()
        if is_some:
            self._look_later()
