"""The windows that wait for the model: of which priority the next pass is, and how large."""

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum

from worker.inference.queued import QueuedWindows
from worker.inference.turns import Turns, Window

# Where interactive texts never end, bulk gets a pass after so long.
MAX_BULK_STARVATION_S = 0.25
# Windows are divided among free model threads only into passes of at least this size: of smaller ones, two at a time
# take as long as one after the other (docs/performance/path.md).
MIN_SHARE_TOKENS = 64
# The pass of a caller who waits for no more than this is so small where another caller has twice as much waiting: the
# other's windows would make it take several times as long.
SMALL_PASS_TOKENS = 64
# A pass while one caller has most of what waits, and others came lately: the next of them may come as it begins, and
# waits for its end. It costs a token about 6 % more than one of twice the size.
SHORT_PASS_TOKENS = 128
LATELY_S = 1.0
# A bulk pass is so much larger while no interactive text comes: a token costs 5 % less, and nobody waits for its end.
BULK_ALONE_SHARE = 1.5
BULK_ALONE_S = 10.0


class Priority(IntEnum):
    """Interactive windows always go before bulk windows."""

    INTERACTIVE = 0
    BULK = 1


class WaitingWindows:
    """Not thread-safe. `max_tokens` is the token budget of a pass, padding included, for each priority."""

    def __init__(self, max_tokens: Mapping[Priority, int]) -> None:
        self.texts = 0
        self._max_tokens = max_tokens
        self._windows = {priority: QueuedWindows() for priority in Priority}
        # Tokens of interactive windows, by the number of their caller.
        self._tokens_of: dict[int, int] = {}
        self._turns = {priority: Turns() for priority in Priority}
        # The caller of the newest interactive text, and when that was last another one than before.
        self._newest_caller: int | None = None
        self._caller_changed_at = -math.inf
        self._bulk_due_at: float | None = None
        self._interactive_at = -math.inf

    def __len__(self) -> int:
        """How many windows wait."""
        return sum(map(len, self._windows.values()))

    def count(self, priority: Priority) -> int:
        """How many windows of this priority wait."""
        return len(self._windows[priority])

    def fills_passes(self, count: int, priority: Priority) -> bool:
        """Whether as much of this priority waits as fits into so many passes."""
        return self._windows[priority].tokens >= count * self._max_tokens[priority]

    def add(self, by_text: Sequence[Sequence[Window]], priority: Priority) -> None:
        """Queue the windows of texts, each where its turn is."""
        self._turns[priority].assign(by_text)
        windows = [window for windows in by_text for window in windows]
        self._windows[priority].add(windows)
        if priority is Priority.INTERACTIVE:
            self._interactive_at = time.monotonic()
            self._count(windows, 1)
            self._note_callers(windows)
        self.texts += len(by_text)

    def clear(self) -> list[Window]:
        """Take everything."""
        left = [window for windows in self._windows.values() for window in windows.clear()]
        self._tokens_of.clear()
        self.texts = 0
        return left

    def take(self, free_threads: int) -> list[Window]:
        """Take the windows of one pass, while `free_threads` more threads have nothing to do."""
        for priority in self._order():
            windows = self._windows[priority]
            if windows:
                batch = windows.take_pass(self._budget(priority, free_threads))
                if priority is Priority.INTERACTIVE:
                    self._count(batch, -1)
                self._turns[priority].note(batch, self.texts, is_last=not windows)
                self.texts -= sum(window.leaves() for window in batch)
                return batch
        return []

    def _budget(self, priority: Priority, free_threads: int) -> int:
        """A whole pass, a small one, or an even share of what waits where other threads would stay idle."""
        whole = self._max_tokens[priority]
        if priority is Priority.INTERACTIVE:
            if self._is_first_small():
                return min(whole, SMALL_PASS_TOKENS)
            if self._is_crowded_by_one():
                whole = min(whole, SHORT_PASS_TOKENS)
        elif time.monotonic() - self._interactive_at > BULK_ALONE_S:
            whole = min(int(whole * BULK_ALONE_SHARE), max(whole, self._max_tokens[Priority.INTERACTIVE]))
        if not free_threads:
            return whole
        share = math.ceil(self._windows[priority].tokens / (free_threads + 1))
        return min(whole, max(share, MIN_SHARE_TOKENS))

    def _is_first_small(self) -> bool:
        """Whether the caller whose turn it is waits for little, and another for much."""
        waiting = self._tokens_of.values()
        least, most = min(waiting, default=0), max(waiting, default=0)
        if least > SMALL_PASS_TOKENS or most < 2 * SMALL_PASS_TOKENS:
            return False
        caller = self._windows[Priority.INTERACTIVE].oldest.text.load.flow
        return self._tokens_of.get(caller, 0) <= SMALL_PASS_TOKENS

    def _is_crowded_by_one(self) -> bool:
        """Whether one caller has more than half of what waits, while others come, too."""
        most = max(self._tokens_of.values(), default=0)
        is_shared = time.monotonic() - self._caller_changed_at < LATELY_S
        return is_shared and 2 * most > self._windows[Priority.INTERACTIVE].tokens

    def _note_callers(self, windows: Iterable[Window]) -> None:
        for caller in {window.text.load.flow for window in windows}:
            if caller != self._newest_caller:
                # The first one of all is no change.
                if self._newest_caller is not None:
                    self._caller_changed_at = time.monotonic()
                self._newest_caller = caller

    def _count(self, windows: Iterable[Window], sign: int) -> None:
        for window in windows:
            caller = window.text.load.flow
            left = self._tokens_of.get(caller, 0) + sign * len(window.token_ids)
            if left:
                self._tokens_of[caller] = left
            else:
                self._tokens_of.pop(caller, None)

    def _order(self) -> Sequence[Priority]:
        """Interactive first, except that bulk that waits gets one pass every `MAX_BULK_STARVATION_S`."""
        if not all(self._windows.values()):
            self._bulk_due_at = None
            return (Priority.INTERACTIVE, Priority.BULK)
        now = time.monotonic()
        if self._bulk_due_at is None or now >= self._bulk_due_at:
            is_due = self._bulk_due_at is not None
            self._bulk_due_at = now + MAX_BULK_STARVATION_S
            return (Priority.BULK, Priority.INTERACTIVE) if is_due else (Priority.INTERACTIVE, Priority.BULK)
        return (Priority.INTERACTIVE, Priority.BULK)
