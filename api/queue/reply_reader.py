"""Reads this process's replies from its stream in Redis, and resumes after a lost connection.

A stream, not a list, so that an entry lost with a broken connection can be read again.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from api.background import end_task
from api.queue.store_wire import StoreWire
from shared import keys
from shared.log import get_logger
from shared.messages import Answer, Reply, decode

log = get_logger(__name__)

BLOCK_MS = 1_000
READ_COUNT = 256
# Beyond the time for which a read blocks on purpose.
READ_TIMEOUT_S = BLOCK_MS / 1_000 + 2
RECONNECT_DELAY_S = 0.2
START = "0-0"


class ReplyReader:
    """Calls `on_answers` with each reply's answers, in order, each at least once."""

    def __init__(
        self,
        redis: Redis,
        process_id: str,
        on_answers: Callable[[Sequence[Answer]], None],
        on_store_lost: Callable[[], None],
    ) -> None:
        self._redis = redis
        self._stream = keys.replies(process_id)
        self._on_answers = on_answers
        self._on_store_lost = on_store_lost
        self._last_id = START
        self._is_silent = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start reading."""
        self._task = asyncio.create_task(self._read_forever(), name="replies")

    async def close(self) -> None:
        """Stop reading and delete the stream."""
        await end_task(self._task)
        try:
            await self._redis.delete(self._stream)
        except (RedisError, OSError):
            log.debug("reply_stream_left_to_expire")

    async def _read_forever(self) -> None:
        while True:
            try:
                await self._read_until_lost()
            except RedisTimeoutError:
                # Perhaps this process stood still, not the store. Whoever asks the store each second knows.
                log.debug("reply_stream_silent")
            except (RedisError, OSError) as error:
                self._on_store_lost()
                log.debug("reply_stream_lost", error_type=type(error).__name__)
            except Exception:
                # Keep reading after any error: without the reader this process could answer no request.
                log.exception("reply_reader_failed")
            await asyncio.sleep(RECONNECT_DELAY_S)

    async def _read_until_lost(self) -> None:
        await self._forget_place_if_stream_is_new()
        wire = await StoreWire.open(self._redis)
        try:
            while True:
                await self._read(wire)
                if self._is_silent:
                    await self._forget_place_if_stream_is_new()
        finally:
            await wire.close()

    async def _read(self, wire: StoreWire) -> None:
        """Take the next entries, on the spot: an answer need not wait for this task's turn."""
        self._is_silent = True
        await wire.ask(
            "XREAD", "COUNT", READ_COUNT, "BLOCK", BLOCK_MS, "STREAMS", self._stream, self._last_id,
            timeout_s=READ_TIMEOUT_S, taker=self._take_reply,
        )  # fmt: skip

    def _take_reply(self, reply: Any) -> None:  # noqa: ANN401  as Redis answers
        """Take entries: the id of each, and its fields and values in turns."""
        if reply:
            self._is_silent = False
            # RESP3 answers with a map of streams, RESP2 with pairs.
            ((_, entries),) = reply.items() if isinstance(reply, dict) else reply
            self._take(entries)

    def _take(self, entries: Sequence[tuple[bytes, Sequence[bytes]]]) -> None:
        for entry_id, fields in entries:
            self._last_id = entry_id.decode()
            try:
                reply = decode(fields[fields.index(b"reply") + 1], Reply)
            except (msgspec.DecodeError, ValueError) as error:
                log.warning("reply_unreadable", reason=str(error))
            else:
                self._on_answers(reply.answers)

    async def _forget_place_if_stream_is_new(self) -> None:
        """Start over if the stream began anew by an earlier clock: its entry ids are then below the last one read.

        So it is when Redis came back empty, or when its clock was set back and the stream expired while nobody asked.
        """
        try:
            info = await self._redis.xinfo_stream(self._stream)
        except ResponseError:
            self._last_id = START
            return
        newest = info["last-generated-id"].decode()
        if _as_numbers(newest) < _as_numbers(self._last_id):
            self._last_id = START


def _as_numbers(entry_id: str) -> tuple[int, int]:
    milliseconds, _, sequence = entry_id.partition("-")
    return int(milliseconds), int(sequence)
