"""Connections to the store for what runs in the threads of jobs: jobs themselves, corrections, reviews and the feed.

They share one client, so a thread needs a single connection. All connections are opened at the start: made
as they are needed, their number would grow for hours.
"""

from redis import DriverInfo, Redis

# Generous: deleting a large job takes the store a while, and no caller counts on milliseconds here.
REDIS_TIMEOUT_S = 10
CONNECT_TIMEOUT_S = 2
LIBRARY_NAME = "kobert-jobs"
"""What CLIENT LIST calls these connections."""


def connect(redis_url: str) -> Redis:
    """A blocking client, used only in threads."""
    return Redis.from_url(
        redis_url,
        socket_timeout=REDIS_TIMEOUT_S,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        driver_info=DriverInfo(name=LIBRARY_NAME),
    )


def open_ahead(redis: Redis, count: int) -> None:
    """Open connections until the client has `count` of them that are free.

    Raises:
        RedisError: the store does not take them.
    """
    pool = redis.connection_pool
    opened = []
    try:
        for _ in range(count):
            opened.append(pool.get_connection())  # noqa: PERF401  what was opened is given back after an error
    finally:
        for connection in opened:
            pool.release(connection)
