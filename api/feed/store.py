"""The feed in Redis as the API reads it. Every text is a key of its own, so that the store forgets it in time."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from redis import Redis

from api.feed.records import FedText, FeedEntry
from shared import keys
from shared.lua_script import run_script
from shared.usage.scripts import source_of

_FED = msgspec.json.Decoder(FedText)
_READ_AT_ONCE = 500


class FeedStore:
    """Thread-safe and blocking. Every method raises `redis.RedisError` when Redis does not answer."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def after(self, owner: str, number: int) -> Iterator[FeedEntry]:
        """The texts that came after `number`, the oldest first."""
        while True:
            found: Any = self._redis.zrangebyscore(keys.feed_of(owner), f"({number}", "+inf", 0, _READ_AT_ONCE)
            if not found:
                return
            numbers = [int(raw) for raw in found]
            yield from self._entries(owner, numbers)
            number = numbers[-1]

    def before(self, owner: str, number: int | None) -> Iterator[FeedEntry]:
        """The texts that came before `number`, all where it is None, the newest first."""
        limit = "+inf" if number is None else f"({number}"
        while True:
            found: Any = self._redis.zrevrangebyscore(keys.feed_of(owner), limit, "-inf", 0, _READ_AT_ONCE)
            if not found:
                return
            numbers = [int(raw) for raw in found]
            yield from self._entries(owner, numbers)
            limit = f"({numbers[-1]}"

    def remove(self, owner: str) -> int:
        """Forget all texts of an owner now; returns how many there were."""
        found: Any = self._redis.zrange(keys.feed_of(owner), 0, -1)
        names = [keys.feed_text(owner, raw.decode()) for raw in found]
        for start in range(0, len(names), _READ_AT_ONCE):
            self._redis.unlink(*names[start : start + _READ_AT_ONCE])
        self._redis.unlink(keys.feed_of(owner), keys.feed_sizes(owner))
        run_script(self._redis, source_of("end"), [], [owner, keys.feed_of(owner)])
        return len(names)

    def _entries(self, owner: str, numbers: Sequence[int]) -> Iterator[FeedEntry]:
        raws: Any = self._redis.mget([keys.feed_text(owner, str(number)) for number in numbers])
        for number, raw in zip(numbers, raws, strict=True):
            if raw is not None:  # else its time is over
                yield FeedEntry(number, _FED.decode(raw))
