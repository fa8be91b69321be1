"""What the embedded store does with its memory."""

from pathlib import Path

import psutil
import pytest

from tests.support.run import KobertRun
from tests.support.stack import wait_until

pytestmark = pytest.mark.e2e
MIB = 1 << 20


def test_memory_of_what_was_deleted_goes_back_to_the_system(short_tmp: Path) -> None:
    """A store that had been full once kept all of it, next to what other processes needed then."""
    with KobertRun(short_tmp) as run, run.redis() as redis:
        (store,) = (child for child in psutil.Process(run.pid).children() if child.name() == "valkey-server")
        before = store.memory_info().rss
        for size in (12_000, 64_000):
            pipeline = redis.pipeline(transaction=False)
            for number in range(30 * MIB // size):
                # As chunks of jobs and parts of files are stored, with small keys between them.
                pipeline.hset("kobert:test:large", f"{size}:{number}", b"a" * size)
                pipeline.set(f"kobert:test:small:{size}:{number}", number, ex=600)
            pipeline.execute()
        assert store.memory_info().rss > before + 50 * MIB
        redis.unlink("kobert:test:large")
        wait_until(lambda: store.memory_info().rss < before + 20 * MIB, "the memory's return")
