"""Checks a Redis of the user's own before anything is started; each fault is one sentence that says what to do.

A module of its own, because the embedded store is started without the Redis client, a tenth of the command's start.
"""

from redis import Redis
from redis.exceptions import RedisError

from shared import keys, redis_faults
from shared.errors import StartupError
from shared.store_check import Finding, breaking, check_store, refusal_of

REDIS_CHECK_S = 5


def require_redis(url: str, store_checks: str) -> list[str]:
    """Check that the Redis at `url` answers and keeps what it takes; returns what its operator should know.

    Raises:
        StartupError: it does not, its certificate is not trusted, or it refuses the login.
    """
    found: list[Finding] = []
    try:
        with Redis.from_url(url, socket_timeout=REDIS_CHECK_S, socket_connect_timeout=REDIS_CHECK_S) as redis:
            # Not PING, which a server with a full disk refuses.
            redis.exists(keys.WORKERS)
            if store_checks != "off":
                found = check_store(redis)
    except (RedisError, OSError) as error:
        raise StartupError(redis_faults.explain(url, error)) from error
    if breaking(found) and store_checks == "refuse":
        raise StartupError(refusal_of(found))
    return [finding.message for finding in found]
