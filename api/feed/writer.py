"""Notes the texts of answered requests and writes them to the feed a moment later: no request waits for it."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from api.background import end_task
from api.feed.records import FedText
from api.queue.judging import Item
from shared import keys
from shared.errors import KobertError
from shared.log import get_logger
from shared.lua_script import scripts_of
from shared.verdict import Verdict

log = get_logger(__name__)

# With `OFF` in this header the texts of a request are not kept.
HEADER = "x-review-feed"
OFF = "off"
WRITE_EVERY_S = 0.5
# Texts that are written at once; of more, the oldest are not kept, so that what a flood costs is bounded.
MAX_WAITING = 1_000
# Longer texts are not kept, so that the number of texts bounds their size.
MAX_TEXT_CHARS = 2_000
_WRITTEN_AT_ONCE = 200
_SCRIPTS = scripts_of("api.feed")

_encode = msgspec.json.Encoder().encode


class FeedWriter:
    """One per API process, where REVIEW_FEED_TEXTS is more than 0. A lost store loses texts of the feed, no answers."""

    def __init__(self, redis: Redis, max_texts: int, ttl_s: int) -> None:
        self._redis = redis
        self._limits = (max_texts, ttl_s)
        self._waiting: deque[tuple[str, str, Verdict]] = deque(maxlen=MAX_WAITING)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start writing."""
        self._task = asyncio.create_task(self._write_forever(), name="feed")

    async def close(self) -> None:
        """Write what waits, and stop."""
        await end_task(self._task)
        await self._write()

    def note(self, owner: str, items: Sequence[Item], outcomes: Sequence[Verdict | KobertError]) -> None:
        """Keep those texts of a request that have a verdict; its caller has looked whether `HEADER` is `OFF`."""
        for item, outcome in zip(items, outcomes, strict=True):
            if isinstance(outcome, Verdict) and isinstance(item.value, str) and len(item.value) <= MAX_TEXT_CHARS:
                self._waiting.append((owner, item.value, outcome))

    async def _write_forever(self) -> None:
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            await self._write()

    async def _write(self) -> None:
        by_owner: dict[str, list[bytes]] = defaultdict(list)
        while self._waiting:
            owner, text, verdict = self._waiting.popleft()
            by_owner[owner].append(_encode(_fed(text, verdict)))
        try:
            for owner, texts in by_owner.items():
                for start in range(0, len(texts), _WRITTEN_AT_ONCE):
                    await self._append(owner, texts[start : start + _WRITTEN_AT_ONCE])
        except (RedisError, OSError) as error:
            log.warning("feed_not_written", error_type=type(error).__name__)

    async def _append(self, owner: str, texts: list[bytes]) -> None:
        arguments: list[Any] = [*self._limits, keys.feed_text(owner), *texts]
        await self._redis.eval(_SCRIPTS["append"], 1, keys.feed_of(owner), *arguments)


def _fed(text: str, verdict: Verdict) -> FedText:
    matches = [] if verdict.matches is msgspec.UNSET else verdict.matches
    return FedText(
        text=text,
        classification=verdict.classification,
        confidence=verdict.confidence,
        labels=verdict.labels,
        scores=verdict.scores,
        policy=None if verdict.policy is msgspec.UNSET else verdict.policy,
        matches=list(dict.fromkeys((match.list, match.term) for match in matches)),
    )
