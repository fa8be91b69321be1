"""The feed for the routes and for review queues."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice

from redis.asyncio import Redis as AsyncRedis

from api.access.keyring import Keyring
from api.corrections.service import RunInThread
from api.feed.records import FeedEntry
from api.feed.store import FeedStore
from api.feed.writer import FeedWriter
from api.jobs.service import JobService
from shared.settings import Settings


@dataclass(frozen=True)
class FeedFilter:
    """Which texts: of this policy, in which this entry fired, and with this label; None for any."""

    policy: str | None = None
    list: str | None = None
    term: str | None = None
    label: str | None = None

    def takes(self, entry: FeedEntry) -> bool:
        """Whether the text is one of them."""
        fed = entry.fed
        if self.policy is not None and (fed.policy is None or fed.policy.name != self.policy):
            return False
        if self.label is not None and self.label not in fed.labels:
            return False
        return self.term is None or any(term == self.term and self.list in {None, which} for which, term in fed.matches)


class FeedService:
    """One per API process; `writer` is None where the feed is off. Methods raise `StoreUnavailableError`."""

    def __init__(self, store: FeedStore, writer: FeedWriter | None, settings: Settings, run: RunInThread) -> None:
        self.store = store
        self.writer = writer
        self.ttl_s = settings.review_feed_ttl_s
        self.max_texts = settings.review_feed_texts
        self._run = run

    async def newest(
        self, owner: str, wanted: FeedFilter, before: int | None, limit: int
    ) -> tuple[list[FeedEntry], bool]:
        """Up to `limit` texts, the newest first, and whether there are more."""

        def read() -> list[FeedEntry]:
            return list(islice(filter(wanted.takes, self.store.before(owner, before)), limit + 1))

        found: list[FeedEntry] = await self._run(read)
        return found[:limit], len(found) > limit

    async def clear(self, owner: str) -> int:
        """Forget all texts of an owner now; returns how many there were."""
        removed: int = await self._run(self.store.remove, owner)
        return removed


@asynccontextmanager
async def running_feed(
    settings: Settings, jobs: JobService, writing: AsyncRedis, keyring: Keyring
) -> AsyncIterator[FeedService]:
    """The service; it writes only where the settings say so."""
    limits = (settings.review_feed_texts, settings.review_feed_ttl_s)
    writer = FeedWriter(writing, limits, lambda: jobs.run(jobs.capacity.look), keyring)
    is_on = settings.review_feed_texts > 0
    if is_on:
        writer.start()
    try:
        yield FeedService(FeedStore(jobs.redis), writer if is_on else None, settings, jobs.run)
    finally:
        if is_on:
            await writer.close()
