"""What can be known to be wrong before anything is started; each fault is one sentence that says what to do."""

import fcntl
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from shared import redis_url
from shared.errors import StartupError

MIN_FREE_BYTES = 64 << 20
REDIS_CHECK_S = 5
_MIB = 1 << 20


def require_free_port(host: str, port: int) -> None:
    """Check that we could listen there.

    Raises:
        StartupError: the port is taken, or the address is not this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise StartupError(
            f"cannot listen on {host} port {port} ({error.strerror or error}); "
            f"stop the program that uses it, or choose another: PORT={port + 1}"
        ) from error


def require_redis(url: str) -> None:
    """Check that the Redis at `url` answers.

    Raises:
        StartupError: it does not.
    """
    try:
        with Redis.from_url(url, socket_timeout=REDIS_CHECK_S, socket_connect_timeout=REDIS_CHECK_S) as redis:
            redis.ping()
    except (RedisError, OSError) as error:
        raise StartupError(
            f"REDIS_URL={redis_url.redact(url)} does not answer ({type(error).__name__}); "
            "start that server, or unset REDIS_URL to use the embedded one"
        ) from error


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
