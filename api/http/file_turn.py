"""A few files at a time, and each caller in turn, so that nobody's many files keep another's one file waiting."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from api.http.caller import Caller


class FileTurn:
    """Turns of `count` files at a time. Thread-safe. A caller whose client has left waits no longer and has none."""

    def __init__(self, count: int = 1) -> None:
        self._changed = threading.Condition()
        self._free = count
        self._waiting: list[Caller] = []
        # Whoever had the last turn, and those who still wait and had one: a number that grows with each turn.
        self._turns = 0
        self._last_turns: dict[str, int] = {}

    def take(self, caller: Caller) -> bool:
        """Wait for a turn; whether the caller has it now, and then it must `give_back`."""
        presence = caller.presence
        with self._changed:
            self._waiting.append(caller)
            presence.watch(self._look_again)
            try:
                self._changed.wait_for(lambda: presence.is_lost or (self._free > 0 and self._is_next(caller)))
            finally:
                presence.forget(self._look_again)
                self._waiting.remove(caller)
                # Whoever is next now may have looked while this one stood before it.
                self._changed.notify_all()
            if presence.is_lost:
                return False
            self._free -= 1
            self._note_turn(caller.name)
            return True

    def give_back(self) -> None:
        """Let the next one have the turn."""
        with self._changed:
            self._free += 1
            self._changed.notify_all()

    @contextmanager
    def taken_by(self, caller: Caller) -> Iterator[bool]:
        """As `take` and `give_back`."""
        has_turn = self.take(caller)
        try:
            yield has_turn
        finally:
            if has_turn:
                self.give_back()

    def _is_next(self, caller: Caller) -> bool:
        """Whether nobody who waits had the last turn longer ago, or none; of one caller's the first to come."""
        return caller is min(self._waiting, key=lambda waiting: self._last_turns.get(waiting.name, 0))

    def _note_turn(self, name: str) -> None:
        self._turns += 1
        waiting = {caller.name for caller in self._waiting}
        self._last_turns = {known: turn for known, turn in self._last_turns.items() if known in waiting}
        self._last_turns[name] = self._turns

    def _look_again(self) -> None:
        with self._changed:
            self._changed.notify_all()
