"""A connection to Redis for the two commands that every text goes through.

redis-py opens it: address, TLS, password and database are its business. Its way of sending a command, though, has a
dozen layers for pools, retries, clusters and replies of every kind, which cost ten times as much as the command itself.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Self, cast

import hiredis
from redis._parsers import BaseParser
from redis.asyncio import Connection, Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse
from redis.exceptions import TimeoutError as RedisTimeoutError

Part = str | bytes | int | float
Taker = Callable[[Any], None]


class StoreWire(asyncio.Protocol):
    """Once it is lost it stays so: open another one."""

    def __init__(self, connection: Connection, transport: asyncio.Transport) -> None:
        self._connection = connection
        self._transport = transport
        parse_error: Callable[[str], Exception] = BaseParser.parse_error
        self._reader = hiredis.Reader(protocolError=InvalidResponse, replyError=parse_error)
        # Who waits for a reply, in the order of the commands, and what to call with it first.
        self._waiting: deque[tuple[asyncio.Future[Any], Taker | None]] = deque()
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

    async def ask(self, *command: Part, timeout_s: float, taker: Taker | None = None) -> Any:  # noqa: ANN401  as Redis answers
        """The reply to one command; strings in it are bytes. `taker` gets it first, a turn of the event loop sooner.

        Raises:
            ConnectionError, TimeoutError of redis-py: the connection is lost, or no reply came.
            ResponseError: Redis refuses the command.
        """
        return await self.wait(self.post(*command, taker=taker), timeout_s)

    def post(self, *command: Part, taker: Taker | None = None) -> "asyncio.Future[Any]":
        """Send one command now; `wait` for what this returns.

        Raises:
            ConnectionError: the connection is lost.
        """
        if self.is_lost:
            raise RedisConnectionError("the connection is lost")
        reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((reply, taker))
        self._transport.write(hiredis.pack_command(command))  # type: ignore[arg-type]  # of any length
        return reply

    async def wait(self, reply: "asyncio.Future[Any]", timeout_s: float) -> Any:  # noqa: ANN401  as Redis answers
        """The reply to a command that was sent; raises as `ask`."""
        error = RedisTimeoutError(f"no reply within {timeout_s:g} s")
        timer = asyncio.get_running_loop().call_later(timeout_s, self._lose, error)
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
        """Hand replies that are complete to who waits for them."""
        self._reader.feed(data)
        try:
            # `False` is the reader's word for a reply that is not complete; Redis itself has none such.
            while (reply := self._reader.gets()) is not False:
                self._hand_over(reply)
        except InvalidResponse as error:
            self._lose(error)

    def _hand_over(self, reply: Any) -> None:  # noqa: ANN401  as Redis answers
        if not self._waiting:
            return
        waiting, taker = self._waiting.popleft()
        if waiting.done():
            return
        if not isinstance(reply, Exception) and taker is not None:
            try:
                taker(reply)
            except Exception as error:  # noqa: BLE001  it is raised where the reply is waited for
                reply = error
        if isinstance(reply, Exception):
            waiting.set_exception(reply)
        else:
            waiting.set_result(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the commands that wait."""
        self._lose(RedisConnectionError(f"the connection is lost: {exc or 'Redis closed it'}"))

    def _lose(self, error: Exception) -> None:
        self.is_lost = True
        self._transport.abort()
        lost, self._waiting = self._waiting, deque()
        for waiting, _ in lost:
            if not waiting.done():
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

    @property
    def is_open(self) -> bool:
        """Whether the connection is open, and no other command waits for its turn."""
        return self._wire is not None and not self._wire.is_lost and not self._turn.locked()

    def lpush_now(self, key: str, value: bytes) -> Coroutine[Any, Any, None]:
        """As `lpush`, and sent before this returns, where the connection `is_open`. Await what it returns."""
        if self._wire is None or self._wire.is_lost:
            return self.lpush(key, value)
        return self._end_lpush(self._wire, self._wire.post("LPUSH", key, value), key, value)

    async def _end_lpush(self, wire: StoreWire, reply: "asyncio.Future[Any]", key: str, value: bytes) -> None:
        try:
            await wire.wait(reply, self._timeout_s)
        except (RedisConnectionError, RedisTimeoutError):
            await self.lpush(key, value)

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
