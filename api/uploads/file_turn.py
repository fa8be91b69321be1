"""One file at a time for all, and each caller in turn, so that nobody's many files keep another's one file waiting."""

import threading

from api.http.caller import Caller


class FileTurn:
    """Thread-safe. A caller whose client has left waits no longer; it has no turn then."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._is_taken = False
        self._waiting: list[Caller] = []
        self._last = ""

    def take(self, caller: Caller) -> bool:
        """Wait for the turn; whether the caller has it now, and then it must `give_back`."""
        presence = caller.presence
        with self._changed:
            self._waiting.append(caller)
            presence.watch(self._look_again)
            try:
                self._changed.wait_for(lambda: presence.is_lost or (not self._is_taken and self._is_next(caller)))
            finally:
                presence.forget(self._look_again)
                self._waiting.remove(caller)
                # Whoever is next now may have looked while this one stood before it.
                self._changed.notify_all()
            if presence.is_lost:
                return False
            self._is_taken = True
            self._last = caller.name
            return True

    def give_back(self) -> None:
        """Let the next one have the turn."""
        with self._changed:
            self._is_taken = False
            self._changed.notify_all()

    def _is_next(self, caller: Caller) -> bool:
        others = [waiting for waiting in self._waiting if waiting.name != self._last]
        return caller is (others or self._waiting)[0]

    def _look_again(self) -> None:
        with self._changed:
            self._changed.notify_all()
