"""Tells of a worker that died, as soon as its supervisor knows: its heartbeat would run out only seconds later.

A worker without a heartbeat that is still listed is known to have died, so what it may have had is sent again.
"""

import contextlib
import socket
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from shared import keys

TIMEOUT_S = 2.0


async def end_heartbeat(redis_url: str, pid: int) -> None:
    """Delete the heartbeat of the worker that was this process; while the store does not answer, it runs out itself.

    One that has stopped in good order has withdrawn it, and is not listed any more.
    """
    # As `worker.main` composes it.
    prefix = f"{socket.gethostname()}-{pid}-".encode()
    with contextlib.suppress(RedisError, OSError):
        async with Redis.from_url(redis_url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S) as redis:
            listed: Any = await redis.zrange(keys.WORKERS, 0, -1)
            for worker_id in (member.decode() for member in listed if member.startswith(prefix)):
                await redis.delete(keys.worker(worker_id))
