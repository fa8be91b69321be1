"""Keeps small records of an owner in the store for a while: files that wait for their batch, and batches."""

from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from itertools import count
from typing import Any, Literal, TypeVar, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from shared import keys
from shared.errors import KobertError, NotFoundError, OverloadedError
from shared.settings import Settings
from shared.store_errors import name_store_error

Kind = Literal["files", "batches"]
MAX_RECORDS = 1_000
# An id that is none of ours may be of any length.
MAX_SHOWN_CHARS = 60
# How long a record is kept that is not whole yet.
UNFINISHED_S = 600
T = TypeVar("T")


class OwnedRecords:
    """One per API process. A record has a head, which lists show, and a body in parts, so that nobody holds all of it.

    Every method raises `UnavailableError` when Redis does not answer.
    """

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._redis = redis
        # As long as a job made of it may last, and its results after it.
        self._ttl_s = settings.max_job_age_s + settings.result_ttl_s

    async def put(self, kind: Kind, owner: str, record_id: str, head: bytes) -> None:
        """Keep a record; its parts, if it has any, are there already.

        Raises:
            OverloadedError: the owner has too many of this kind.
        """
        index, key = keys.owned_index(kind, owner), keys.owned_record(kind, owner, record_id)
        if cast("int", await self._named(self._redis.zcard(index))) >= MAX_RECORDS:
            raise OverloadedError(f"you have {MAX_RECORDS:,} {kind}; delete some, or wait until they expire")
        pipeline = self._redis.pipeline()
        pipeline.hset(key, "head", head)
        pipeline.expire(key, self._ttl_s)
        # Numbered, so that two of one second keep their order.
        number = cast("int", await self._named(self._redis.incr(keys.owned_counter(kind, owner))))
        pipeline.zadd(index, {record_id: number})
        pipeline.expire(index, self._ttl_s)
        pipeline.expire(keys.owned_counter(kind, owner), 2 * self._ttl_s)
        await self._named(pipeline.execute())

    async def put_part(self, kind: Kind, owner: str, record_id: str, place: int, part: bytes) -> None:
        """Keep a part of the body of a record that is `put` when all its parts are there."""
        key = keys.owned_record(kind, owner, record_id)
        pipeline = self._redis.pipeline()
        pipeline.hset(key, _part(place), part)
        pipeline.expire(key, UNFINISHED_S)
        await self._named(pipeline.execute())

    async def discard(self, kind: Kind, owner: str, record_id: str) -> None:
        """Drop the parts of a record that will not be put. Without an answer of the store they end by themselves."""
        with suppress(KobertError):
            await self._named(self._redis.unlink(keys.owned_record(kind, owner, record_id)))

    async def head(self, kind: Kind, owner: str, record_id: str) -> bytes:
        """The head of a record.

        Raises:
            NotFoundError: there is none with this id, or it belongs to another owner.
        """
        return await self._field(kind, owner, record_id, "head")

    async def parts(self, kind: Kind, owner: str, record_id: str) -> AsyncIterator[bytes]:
        """The body of a record, part by part; raises as `head`."""
        await self.head(kind, owner, record_id)
        # An earlier version kept it as a whole.
        if whole := await self._named(self._hget(kind, owner, record_id, "body")):
            yield whole
        for number in count():
            part = await self._named(self._hget(kind, owner, record_id, _part(number)))
            if part is None:
                return
            yield part

    async def page(self, kind: Kind, owner: str, limit: int, after: str | None) -> tuple[list[bytes], bool]:
        """Up to `limit` heads, newest first, starting after the record `after`; and whether more follow.

        Raises:
            NotFoundError: there is no record `after`.
        """
        index = keys.owned_index(kind, owner)
        ids = [name.decode() for name in cast("list[bytes]", await self._named(self._redis.zrevrange(index, 0, -1)))]
        if after is not None and after not in ids:
            raise _missing(after, "after")
        left = ids[ids.index(after) + 1 :] if after is not None else ids
        heads = [await self._named(self._hget(kind, owner, record_id, "head")) for record_id in left[: limit + 1]]
        found = [head for head in heads if head is not None]
        return found[:limit], len(left) > limit

    async def delete(self, kind: Kind, owner: str, record_id: str) -> None:
        """Forget a record; raises as `head`."""
        await self.head(kind, owner, record_id)
        await self._named(self._redis.delete(keys.owned_record(kind, owner, record_id)))
        await self._named(self._redis.zrem(keys.owned_index(kind, owner), record_id))

    async def _field(self, kind: Kind, owner: str, record_id: str, field: str) -> bytes:
        found = await self._named(self._hget(kind, owner, record_id, field))
        if found is None:
            raise _missing(record_id, "id")
        return found

    def _hget(self, kind: Kind, owner: str, record_id: str, field: str) -> Awaitable[bytes | None]:
        found: Any = self._redis.hget(keys.owned_record(kind, owner, record_id), field)
        return cast("Awaitable[bytes | None]", found)

    async def _named(self, asked: Awaitable[T]) -> T:
        try:
            return await asked
        except (RedisError, OSError) as error:
            raise name_store_error(error) from error


def _part(number: int) -> str:
    return f"body:{number}"


def _missing(record_id: str, param: str) -> NotFoundError:
    return NotFoundError(f"there is no {record_id[:MAX_SHOWN_CHARS]}; it may have expired", param=param)
