"""A connection to Redis with one command at a time on it, for the two commands that every text goes through.

redis-py opens it: address, TLS, password and database are its business. Its way of sending a command, though, has a
dozen layers for pools, retries, clusters and replies of every kind, which cost ten times as much as the command itself.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Self, cast

import hiredis
from redis._parsers import BaseParser
from redis.asyncio import Connection, Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse
from redis.exceptions import TimeoutError as RedisTimeoutError

Part = str | bytes | int | float


class StoreWire(asyncio.Protocol):
    """Once it is lost it stays so: open another one."""

    def __init__(self, connection: Connection, transport: asyncio.Transport) -> None:
        self._connection = connection
        self._transport = transport
        parse_error: Callable[[str], Exception] = BaseParser.parse_error
        self._reader = hiredis.Reader(protocolError=InvalidResponse, replyError=parse_error)
        self._reply: asyncio.Future[Any] | None = None
        self.is_lost = False

    @classmethod
    async def open(cls, redis: Redis) -> Self:
        """A connection of its own, opened as those of `redis` are; `close` it.

        Raises:
            RedisError, OSError: it cannot be opened.
        """
        connection = redis.connection_pool.make_connection()  # type: ignore[no-untyped-call]
        await connection.connect()
        # The handshake is over, so nothing is on its way: from here on the bytes are for this object.
        transport = cast("asyncio.Transport", connection._writer.transport)  # noqa: SLF001  redis-py has no public way
        wire = cls(connection, transport)
        transport.set_protocol(wire)
        return wire

    async def ask(self, *command: Part, timeout_s: float) -> Any:  # noqa: ANN401  as Redis answers
        """The reply to one command; strings in it are bytes.

        Raises:
            ConnectionError, TimeoutError of redis-py: the connection is lost, or no reply came.
            ResponseError: Redis refuses the command.
        """
        if self.is_lost:
            raise RedisConnectionError("the connection is lost")
        loop = asyncio.get_running_loop()
        reply = self._reply = loop.create_future()
        self._transport.write(hiredis.pack_command(command))  # type: ignore[arg-type]  # of any length
        timer = loop.call_later(timeout_s, self._lose, RedisTimeoutError(f"no reply within {timeout_s:g} s"))
        try:
            return await reply
        except asyncio.CancelledError:
            # The reply that is still to come would be taken for that of the next command.
            self._lose(RedisConnectionError("a command was given up"))
            raise
        finally:
            timer.cancel()

    async def close(self) -> None:
        """Close the connection."""
        self.is_lost = True
        await self._connection.disconnect(nowait=True)

    def data_received(self, data: bytes) -> None:
        """Hand a reply that is complete to who waits for it."""
        self._reader.feed(data)
        try:
            reply = self._reader.gets()
        except InvalidResponse as error:
            self._lose(error)
            return
        # The reader's word for a reply that is not complete; Redis itself has none that is `False`.
        if reply is False or self._reply is None:
            return
        waiting, self._reply = self._reply, None
        if waiting.done():
            return
        if isinstance(reply, Exception):
            waiting.set_exception(reply)
        else:
            waiting.set_result(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the command that waits."""
        self._lose(RedisConnectionError(f"the connection is lost: {exc or 'Redis closed it'}"))

    def _lose(self, error: Exception) -> None:
        self.is_lost = True
        self._transport.abort()
        waiting, self._reply = self._reply, None
        if waiting is not None and not waiting.done():
            waiting.set_exception(error)


class LastingWire:
    """A wire that is opened when it is needed. Commands go one after the other, in their order."""

    def __init__(self, redis: Redis, timeout_s: float) -> None:
        self._redis = redis
        self._timeout_s = timeout_s
        self._wire: StoreWire | None = None
        self._turn = asyncio.Lock()

    async def lpush(self, key: str, value: bytes) -> None:
        """Put a value at the left end of a list.

        A connection from before a restart of Redis is stale, so a command that fails is sent once more on a new one.

        Raises:
            RedisError, OSError: as `StoreWire`.
        """
        async with self._turn:
            try:
                await self._ask("LPUSH", key, value)
            except (RedisConnectionError, RedisTimeoutError):
                await self.close()
                await self._ask("LPUSH", key, value)

    async def close(self) -> None:
        """Close the connection, if there is one."""
        wire, self._wire = self._wire, None
        if wire is not None:
            await wire.close()

    async def _ask(self, *command: Part) -> None:
        if self._wire is None or self._wire.is_lost:
            await self.close()
            self._wire = await StoreWire.open(self._redis)
        await self._wire.ask(*command, timeout_s=self._timeout_s)
