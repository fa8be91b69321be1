"""Keeps small records of an owner in the store for a while: files that wait for their batch, and batches."""

from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from itertools import count
from typing import Any, Literal, TypeVar, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from shared import keys
from shared.errors import KobertError, NotFoundError, OverloadedError, TooLargeError
from shared.lua_script import scripts_of
from shared.settings import Settings
from shared.store_errors import name_store_error
from shared.usage.scripts import FUNCTIONS, source_of

Kind = Literal["files", "batches"]
KINDS: tuple[Kind, ...] = ("files", "batches")
MAX_RECORDS = 1_000
_SCRIPTS = scripts_of("api.jobs")
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
        self._max_bytes = settings.max_file_bytes_per_key

    async def require_room(self, kind: Kind, owner: str) -> None:
        """Check that the owner may have another record, before it is read.

        Raises:
            OverloadedError, TooLargeError: as `put`.
        """
        await self._run("record_check", kind, owner, [], [])

    async def put(self, kind: Kind, owner: str, record_id: str, head: bytes, parts_bytes: int = 0) -> None:
        """Keep a record; its parts, if it has any, are there already, and have `parts_bytes`.

        Raises:
            OverloadedError: the owner has too many of this kind.
            TooLargeError: the owner's records of all kinds would take too many bytes.
        """
        names = [
            keys.owned_sizes(kind, owner),
            keys.owned_counter(kind, owner),
            keys.owned_record(kind, owner, record_id),
        ]
        kept = [record_id, head, len(head) + parts_bytes, self._ttl_s, owner]
        await self._run("record_put", kind, owner, names, kept)

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
        pipeline = self._redis.pipeline()
        pipeline.unlink(keys.owned_record(kind, owner, record_id))
        pipeline.zrem(keys.owned_index(kind, owner), record_id)
        pipeline.hdel(keys.owned_sizes(kind, owner), record_id)
        pipeline.eval(source_of("end"), 0, owner, keys.owned_record(kind, owner, record_id))
        await self._named(pipeline.execute())

    async def _run(self, script: str, kind: Kind, owner: str, names: list[str], arguments: list[Any]) -> None:
        every = [name for each in KINDS for name in (keys.owned_index(each, owner), keys.owned_sizes(each, owner))]
        every += [keys.owned_index(kind, owner), *names]
        prefixes = " ".join(keys.owned_record(each, owner, "") for each in KINDS)
        source = FUNCTIONS + _SCRIPTS["record_room"] + _SCRIPTS[script]
        limits: list[Any] = [prefixes, self._max_bytes, MAX_RECORDS]
        asked: Any = self._redis.eval(source, len(every), *every, *limits, *arguments)
        why, taken = await self._named(cast("Awaitable[tuple[bytes, int]]", asked))
        if why == b"count":
            raise OverloadedError(f"you have {MAX_RECORDS:,} {kind}; delete some, or wait until they expire")
        if why == b"bytes":
            raise TooLargeError(
                f"your input files and batches would take {taken:,} bytes of the store, compressed; "
                f"{self._max_bytes:,} are kept for one key (MAX_FILE_BYTES_PER_KEY). Delete files that no batch will "
                "be made of any more: DELETE /v1/files/ID"
            )

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
