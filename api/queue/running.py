"""Opens and closes the interactive path of an API process: connections, readers and dispatcher."""

import contextlib
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from api.queue.dispatcher import Dispatcher
from api.queue.fleet import Fleet
from api.queue.publisher import Publisher
from api.queue.reply_reader import BLOCK_MS, ReplyReader
from api.queue.store_wire import LastingWire
from shared.settings import Settings

REDIS_TIMEOUT_S = 2
# Parts that read the store every second or so, each at its own time: keys, policies, the feed.
READERS = 3


@dataclass(frozen=True)
class RunningPath:
    """The parts of the path that other code uses."""

    process_id: str
    redis_url: str
    redis: Redis
    fleet: Fleet
    publisher: Publisher
    dispatcher: Dispatcher


@asynccontextmanager
async def running_path(settings: Settings, redis_url: str) -> AsyncIterator[RunningPath]:
    """Open the path; at the end, pending texts fail with an error before the connections close."""
    async with AsyncExitStack() as closing:
        redis = await closing.enter_async_context(_connect(redis_url, REDIS_TIMEOUT_S))
        # Its reads block on purpose, longer than any other command may take.
        reply_redis = await closing.enter_async_context(_connect(redis_url, REDIS_TIMEOUT_S + BLOCK_MS / 1000))
        # Whoever waits for an answer waits for no pause between two tries to connect.
        queue_redis = await closing.enter_async_context(_connect(redis_url, REDIS_TIMEOUT_S, Retry(NoBackoff(), 0)))
        # Texts are refused while the store is thought to be lost: a stale connection is replaced without a pause.
        fleet_redis = await closing.enter_async_context(_connect(redis_url, REDIS_TIMEOUT_S, Retry(NoBackoff(), 1)))
        process_id = uuid.uuid4().hex
        queue = LastingWire(queue_redis, REDIS_TIMEOUT_S)
        publisher = Publisher(queue, process_id)
        fleet = Fleet(fleet_redis, settings.heartbeat_interval_s)
        dispatcher = Dispatcher(settings, process_id, publisher, fleet)
        reader = ReplyReader(reply_redis, process_id, dispatcher.resolve, fleet.mark_store_lost)
        fleet.on_worker_lost = dispatcher.resend_suspects
        fleet.on_worker_left = dispatcher.resend_pending
        fleet.on_store_back = dispatcher.resend_pending
        fleet.on_refresh = dispatcher.check_progress
        closing.push_async_callback(queue.close)
        closing.push_async_callback(fleet.close)
        closing.push_async_callback(reader.close)
        closing.push_async_callback(dispatcher.close)
        await fleet.start()
        if fleet.store_answers:
            await _open_ahead(redis, READERS)
        reader.start()
        dispatcher.start()
        yield RunningPath(process_id, redis_url, redis, fleet, publisher, dispatcher)


def _connect(redis_url: str, timeout_s: float, retry: Retry | None = None) -> Redis:
    redis = Redis.from_url(redis_url, socket_timeout=timeout_s, socket_connect_timeout=REDIS_TIMEOUT_S)
    if retry is not None:
        redis.set_retry(retry)
    return redis


async def _open_ahead(redis: Redis, count: int) -> None:
    """Open so many connections, or their number would grow for hours, each time when more coincide than ever before."""
    pool = redis.connection_pool
    opened = []
    with contextlib.suppress(RedisError, OSError):
        for _ in range(count):
            opened.append(await pool.get_connection())  # type: ignore[no-untyped-call]  # noqa: PERF401  given back below
    for connection in opened:
        await pool.release(connection)
