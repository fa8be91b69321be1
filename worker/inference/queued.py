"""Windows of one priority that wait for the model, by length: a pass of similar ones is found without reading all.

A pass is closed by a token budget, as in Hugging Face's text-embeddings-inference (`core/src/queue.rs`), and holds
windows of similar length, because on a CPU padding costs as much as text.
"""

import heapq
from bisect import insort
from collections import deque
from collections.abc import Iterable, Iterator
from operator import attrgetter

from worker.inference.turns import Window

# A pass costs about as much as these tokens by itself.
PASS_TOKENS = 8

_turn = attrgetter("turn")


class QueuedWindows:
    """Not thread-safe. Windows of each length are in the order of their turns."""

    def __init__(self) -> None:
        self.tokens = 0
        self._count = 0
        self._by_length: dict[int, deque[Window]] = {}

    def __len__(self) -> int:
        """How many windows wait."""
        return self._count

    @property
    def oldest(self) -> Window:
        """The window whose turn it is. There must be one."""
        return min([windows[0] for windows in self._by_length.values()], key=_turn)

    def add(self, windows: Iterable[Window]) -> None:
        """Queue windows, each where its turn is; mostly that is the end."""
        for window in windows:
            length = len(window.token_ids)
            self.tokens += length
            self._count += 1
            same = self._by_length.setdefault(length, deque())
            if same and same[-1].turn > window.turn:
                insort(same, window, key=_turn)
            else:
                same.append(window)

    def take_pass(self, max_tokens: int) -> list[Window]:
        """Take the oldest window and so many of the most similar length that the pass costs least for each token.

        A pass costs its tokens, padding included, and `PASS_TOKENS`. Windows that would be left over alone are taken,
        too, if that pads less than a pass of their own costs. The oldest window is always taken, even if it alone
        exceeds the budget.
        """
        batch: list[Window] = []
        longest = tokens = size = 0
        best_use = 0.0
        for window in self._nearest(len(self.oldest.token_ids)):
            length = len(window.token_ids)
            longest = max(longest, length)
            padded = longest * (len(batch) + 1)
            if batch and padded > max_tokens:
                break
            batch.append(window)
            tokens += length
            use = tokens / (padded + PASS_TOKENS)
            is_all = len(batch) == self._count
            if use >= best_use or (is_all and padded - tokens <= PASS_TOKENS):
                size, best_use = len(batch), use
        del batch[size:]
        self._remove(batch)
        return batch

    def clear(self) -> list[Window]:
        """Take everything."""
        left = [window for windows in self._by_length.values() for window in windows]
        self._by_length.clear()
        self._count = self.tokens = 0
        return left

    def _nearest(self, target: int) -> Iterator[Window]:
        """All, those of the most similar length first; of equally similar ones the oldest first."""

        left, gap = self._count, 0
        while left:
            lengths = {target - gap, target + gap}
            same = [self._by_length[length] for length in lengths if length in self._by_length]
            yield from same[0] if len(same) == 1 else heapq.merge(*same, key=_turn)
            left -= sum(map(len, same))
            gap += 1

    def _remove(self, batch: Iterable[Window]) -> None:
        # Each is the first of its length when its turn to be removed comes: `_nearest` keeps the order of a length.
        for window in batch:
            length = len(window.token_ids)
            self.tokens -= length
            self._count -= 1
            same = self._by_length[length]
            same.popleft()
            if not same:
                del self._by_length[length]
