"""Notes the texts of answered requests and writes them to the feed a moment later: no request waits for it."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from api.access.keyring import Keyring
from api.background import end_task
from api.feed.records import FedText
from api.feed.waiting import WaitingTexts
from api.jobs.capacity import StoreRoom
from api.queue.judging import Item
from shared import keys
from shared.errors import KobertError, OverloadedError
from shared.log import get_logger
from shared.lua_script import scripts_of
from shared.usage.scripts import SHARE_FUNCTIONS
from shared.verdict import Verdict

log = get_logger(__name__)

# With `OFF` in this header the texts of a request are not kept.
HEADER = "x-review-feed"
OFF = "off"
WRITE_EVERY_S = 0.5
# Texts that are written at once; of more, the oldest of who sent most are not kept: what a flood costs is bounded.
MAX_WAITING = 1_000
# Longer texts are not kept, so that the number of texts bounds their size.
MAX_TEXT_CHARS = 2_000
_WRITTEN_AT_ONCE = 200
# Estimated overhead of a text in the store.
TEXT_BYTES = 350
_APPEND = SHARE_FUNCTIONS + scripts_of("api.feed")["append"]

# How the store stands, None without a limit; raises OverloadedError where it is nearly full.
Look = Callable[[], Awaitable[StoreRoom | None]]

_encode = msgspec.json.Encoder().encode


class FeedWriter:
    """One per API process, where REVIEW_FEED_TEXTS is more than 0. A lost store loses texts of the feed, no answers."""

    def __init__(self, redis: Redis, limits: tuple[int, int], look: Look, keyring: Keyring) -> None:
        """`limits` are how many texts of each owner are kept, and for how many seconds."""
        self._redis = redis
        self._limits = limits
        self._look = look
        self._keyring = keyring
        self._waiting = WaitingTexts(MAX_WAITING)
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
                self._waiting.add(owner, item.value, outcome)

    async def _write_forever(self) -> None:
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            await self._write()

    async def _write(self) -> None:
        waiting = self._waiting.take()
        if not waiting:
            return
        try:
            room = await self._room()
            for owner, fed in waiting.items():
                texts = [_encode(_fed(text, verdict)) for text, verdict in fed]
                for start in range(0, len(texts), _WRITTEN_AT_ONCE):
                    await self._append(owner, room, texts[start : start + _WRITTEN_AT_ONCE])
        except (RedisError, OSError, KobertError) as error:
            log.warning("feed_not_written", error_type=type(error).__name__)

    async def _room(self) -> StoreRoom | None:
        """How the store stands; None where a feed may grow in any case."""
        try:
            room = await self._look()
        except OverloadedError:
            return StoreRoom(0, Counter())
        return room if self._keyring.has_several_owners else None

    async def _append(self, owner: str, room: StoreRoom | None, texts: list[bytes]) -> None:
        to_come, free = (0, "") if room is None else (room.to_come[owner], room.free)
        whose = [owner, self._keyring.key_id_of(owner), to_come, free]
        arguments: list[Any] = [*self._limits, keys.feed_text(owner), TEXT_BYTES, *whose, *texts]
        await self._redis.eval(_APPEND, 2, keys.feed_of(owner), keys.feed_sizes(owner), *arguments)


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
