"""The container's health check: `python -m worker.health` exits with 0 when this host's worker has a heartbeat.

The heartbeat is written only while the model threads live, so a worker that hangs is unhealthy even though its process
runs. Imports very little, because it runs every few seconds beside the worker.
"""

import socket
import sys
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from shared import keys
from shared.errors import KobertError, NoWorkerError, StoreUnavailableError
from shared.settings import Settings, load_settings

TIMEOUT_S = 3


def check(settings: Settings, host: str) -> list[str]:
    """Ids of the workers of `host` that have a heartbeat.

    Raises:
        StoreUnavailableError: REDIS_URL is unset, or Redis does not answer.
        NoWorkerError: none of this host's workers has one.
    """
    if settings.redis_url is None:
        raise StoreUnavailableError("REDIS_URL is not set")
    try:
        with Redis.from_url(settings.redis_url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S) as redis:
            alive = _alive(redis, host)
    except (RedisError, OSError) as error:
        raise StoreUnavailableError(f"Redis does not answer ({type(error).__name__})") from error
    if not alive:
        raise NoWorkerError(f"no worker on {host} has a heartbeat")
    return alive


def _alive(redis: Redis, host: str) -> list[str]:
    members: Any = redis.zrange(keys.WORKERS, 0, -1)
    listed = [member.decode() for member in members]
    # A worker's id begins with its host's name.
    return [name for name in listed if name.startswith(f"{host}-") and redis.exists(keys.worker(name))]


def main() -> int:
    """Check this host's worker, with settings from the environment; returns the exit code."""
    try:
        check(load_settings(), socket.gethostname())
    except KobertError as error:
        sys.stderr.write(f"unhealthy: {error.message}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
