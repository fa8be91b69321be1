"""The embedded store as the command starts it, on a folder whose files a test has damaged before."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from cli.append_only import FOLDER
from cli.store import EmbeddedStore
from shared.settings import Settings
from tests.support.stack import wait_until


@contextlib.contextmanager
def running_store(data_dir: Path) -> Iterator[Redis]:
    """A client of it; killed at the end, as by a power cut."""
    with server_of(data_dir) as (store, process):
        wait_until(lambda: process.poll() is not None or _answers(store.url), "the store's first answer")
        assert process.poll() is None, store.explain_exit(process.returncode)
        with Redis.from_url(store.url) as redis:
            yield redis


@contextlib.contextmanager
def server_of(data_dir: Path) -> Iterator[tuple[EmbeddedStore, subprocess.Popen[bytes]]]:
    """The store and its server's process."""
    runtime_dir = data_dir.parent / "run"
    runtime_dir.mkdir(exist_ok=True)
    store = EmbeddedStore(Settings(data_dir=data_dir), runtime_dir)
    process = subprocess.Popen(store.command())
    try:
        yield store, process
    finally:
        process.kill()
        process.wait()


def fill(data_dir: Path, keys: int = 100) -> Path:
    """Make a store with `keys` keys, half of them in its base file, and kill it; returns the folder of its files."""
    with running_store(data_dir) as redis:
        for number in range(keys // 2):
            redis.set(f"base:{number}", "v" * 50)
        redis.bgrewriteaof()
        wait_until(lambda: redis.info("persistence")["aof_rewrite_in_progress"] == 0, "the rewritten base")
        for number in range(keys // 2):
            redis.set(f"new:{number}", "v" * 50)
        time.sleep(0.05)
        redis.waitaof(1, 0, 5_000)
    return data_dir / "store" / FOLDER


def file_of(folder: Path, kind: str) -> Path:
    """The one file of that kind: `base`, `incr` or `manifest`."""
    (found,) = (path for path in folder.iterdir() if f".{kind}" in path.name)
    return found


def _answers(url: str) -> bool:
    with contextlib.suppress(RedisError, OSError), Redis.from_url(url) as redis:
        return bool(redis.ping())
    return False
