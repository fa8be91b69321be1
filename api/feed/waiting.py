"""Texts that wait to be written to the feed, of each owner the newest."""

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence

from shared.verdict import Verdict

Waiting = tuple[str, Verdict]


class WaitingTexts:
    """At most `most` of all owners together. One more takes the place of the oldest of whoever has the most."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        self._by_owner: defaultdict[str, deque[Waiting]] = defaultdict(deque)

    def add(self, owner: str, text: str, verdict: Verdict) -> None:
        """Keep a text."""
        self._by_owner[owner].append((text, verdict))
        self._count += 1
        if self._count > self._most:
            # There are at most as many owners as texts.
            max(self._by_owner.values(), key=len).popleft()
            self._count -= 1

    def take(self) -> Mapping[str, Sequence[Waiting]]:
        """All of them, by owner; none are left."""
        taken, self._by_owner, self._count = self._by_owner, defaultdict(deque), 0
        return taken
