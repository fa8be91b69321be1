"""Fills a review queue from the live feed: adds what came since the last look, drops what is over its time."""

import time
from collections.abc import Callable, Iterator
from itertools import islice

import msgspec

from api.feed.records import US, FeedEntry
from api.feed.store import FeedStore
from api.jobs.results import Selection
from api.reviews.picking import doubt_of
from api.reviews.records import ReviewHead, ReviewItem
from api.reviews.store import Ranked, ReviewStore
from shared.errors import OverloadedError
from shared.jobs.records import Row
from shared.verdict import Verdict

_ADDED_AT_ONCE = 500


class FeedIntake:
    """Thread-safe and blocking; raises `redis.RedisError` when Redis does not answer."""

    def __init__(
        self,
        store: ReviewStore,
        feed: FeedStore,
        ttl_s: int,
        max_items: int,
        require_memory: Callable[[str], None],
    ) -> None:
        """`require_memory` raises OverloadedError where an owner may take no more of the store."""
        self._store = store
        self._feed = feed
        self._ttl_s = ttl_s
        self._max_items = max_items
        self._require_memory = require_memory

    def refresh(self, owner: str, head: ReviewHead) -> ReviewHead:
        """The head as it is now; that of a job's queue never changes."""
        selection = head.feed
        if selection is None:
            return head
        now = int(time.time())
        head = msgspec.structs.replace(head, expires_at=now + self._ttl_s)
        cursor, _, _ = self._store.feed_state(owner, head.id)
        oldest = (now - self._ttl_s) * US
        for part in self._parts(owner, cursor):
            moved_to = part[-1].number if part else cursor
            ranked = list(self._ranked(part, head, selection))
            if not self._store.top_up(owner, head, (cursor, moved_to), ranked, (oldest, self._max_items)):
                break  # another process has just done it
            cursor = moved_to
        _, left_out, total = self._store.feed_state(owner, head.id)
        return msgspec.structs.replace(head, total=total, left_out=left_out)

    def _parts(self, owner: str, cursor: int) -> Iterator[list[FeedEntry]]:
        """New texts after `cursor`, in parts; one empty part if there are none, or no room for them.

        Texts that do not fit now are read again later, while the feed still has them.
        """
        entries = self._feed.after(owner, cursor)
        is_first = True
        while (part := list(islice(entries, _ADDED_AT_ONCE))) and self._has_room(owner):
            yield part
            is_first = False
        if is_first:
            yield []

    def _has_room(self, owner: str) -> bool:
        try:
            self._require_memory(owner)
        except OverloadedError:
            return False
        return True

    def _ranked(self, entries: list[FeedEntry], head: ReviewHead, selection: Selection) -> Iterator[Ranked]:
        for entry in entries:
            fed = entry.fed
            verdict = Verdict(fed.classification, fed.confidence, fed.scores, fed.labels)
            if not selection.takes(Row(0, fed.text), verdict):
                continue
            item = ReviewItem(
                item=entry.number,
                row=None,
                text=fed.text,
                classification=fed.classification,
                confidence=fed.confidence,
                labels=fed.labels,
                scores=fed.scores,
                policy=None if fed.policy is None else fed.policy.name,
                arrived_at=entry.arrived_at,
            )
            rank = doubt_of(verdict) if head.order == "uncertain" else float(entry.number)
            yield Ranked(item, rank, entry.arrived_at + self._ttl_s)
