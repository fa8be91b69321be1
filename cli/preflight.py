"""What can be known to be wrong before anything is started; each fault is one sentence that says what to do."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from shared import redis_faults
from shared.errors import StartupError
from shared.listening import open_listeners

MIN_FREE_BYTES = 64 << 20
REDIS_CHECK_S = 5
_MIB = 1 << 20


def require_free_port(host: str, port: int) -> None:
    """Check that we could listen there.

    Raises:
        StartupError: the port is taken, or the address is not this machine's.
    """
    for listener in open_listeners(host, port):
        listener.close()


def require_redis(url: str) -> None:
    """Check that the Redis at `url` answers.

    Raises:
        StartupError: it does not, its certificate is not trusted, or it refuses the login.
    """
    try:
        with Redis.from_url(url, socket_timeout=REDIS_CHECK_S, socket_connect_timeout=REDIS_CHECK_S) as redis:
            redis.ping()
    except (RedisError, OSError) as error:
        raise StartupError(redis_faults.explain(url, error)) from error


@contextmanager
def exclusive_data_dir(data_dir: Path) -> Iterator[None]:
    """Hold `data_dir` for this process, after checking that it can be written to and has room.

    Raises:
        StartupError: it cannot be written, the disk is full, or another `kobert run` holds it.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        lock = (data_dir / "lock").open("a")
    except OSError as error:
        raise StartupError(
            f"cannot write to the data directory {data_dir} ({error.strerror}); choose another with DATA_DIR"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StartupError(
                f"another kobert uses the data directory {data_dir}; stop it, or choose another with DATA_DIR"
            ) from error
        _require_room(data_dir)
        yield


def _require_room(data_dir: Path) -> None:
    free = shutil.disk_usage(data_dir).free
    if free < MIN_FREE_BYTES:
        raise StartupError(
            f"only {free // _MIB} MB are free where {data_dir} lies, {MIN_FREE_BYTES // _MIB} MB are needed; "
            "make room, or choose another place with DATA_DIR"
        )
