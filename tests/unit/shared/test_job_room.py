"""What the store has no room for: jobs, rows and their results are refused before they are sent."""

import pytest
from redis import Redis

from api.access.keyring import Keyring
from api.jobs.capacity import StoreCapacity
from api.jobs.room import JobRoom
from shared import keys
from shared.errors import DiskFullError, OverloadedError
from shared.jobs.ledger import Ledger
from tests.support.job_parts import JobParts
from tests.support.ledger_jobs import OWNER, SETTINGS, add_job, hand_in, take
from tests.support.valkey import running_valkey

pytestmark = pytest.mark.integration


def test_more_jobs_than_may_be_open_are_refused(parts: JobParts) -> None:
    for _ in range(3):
        add_job(parts)
    with pytest.raises(OverloadedError, match="MAX_OPEN_JOBS"):
        add_job(parts)
    with pytest.raises(OverloadedError):
        parts.capacity.require_room(OWNER)


def test_a_nearly_full_store_takes_no_more_uploads_but_work_goes_on() -> None:
    with running_valkey(maxmemory="8mb") as url, Redis.from_url(url) as redis:
        parts, ledger = JobParts(redis, SETTINGS), Ledger(redis, SETTINGS)
        redis.set(keys.worker("w"), "alive")
        job_id = add_job(parts, chunks=2)
        while redis.info("memory")["used_memory"] < 0.9 * (8 << 20):
            redis.rpush("filler", b"x" * 10_000)
        with pytest.raises(OverloadedError, match="nearly full") as refusal:
            parts.capacity.require_memory()
        assert refusal.value.retry_after_s > 0
        redis.config_set("maxmemory", "1mb")
        while (lease := ledger.lease("w")) is not None:
            assert hand_in(ledger, lease)
        assert parts.store.get(job_id, OWNER).status == "completed"
        parts.store.delete(job_id, OWNER)


def test_rows_that_are_yet_to_be_answered_count_as_memory_that_is_taken(redis: Redis) -> None:
    parts = JobParts(redis, SETTINGS)
    add_job(parts, chunks=2)
    used = redis.info("memory")["used_memory"]
    redis.config_set("maxmemory", str(used * 4))
    try:
        parts.capacity.require_memory()
        with pytest.raises(OverloadedError):
            StoreCapacity(redis, SETTINGS, JobRoom(SETTINGS, Keyring()), result_bytes_per_row=used).require_memory()
    finally:
        redis.config_set("maxmemory", "0")


def test_a_store_that_does_not_write_to_its_disk_takes_no_job_and_lets_others_go(
    parts: JobParts, ledger: Ledger, redis: Redis
) -> None:
    running, done = add_job(parts, chunks=1), add_job(parts, chunks=1)
    redis.set(keys.STORE_PAUSED, "disk full")

    with pytest.raises(DiskFullError, match="DATA_DIR"):
        parts.capacity.require_room(OWNER)
    with pytest.raises(DiskFullError):
        add_job(parts)
    assert hand_in(ledger, take(ledger))
    parts.store.delete(done, OWNER)
    assert parts.store.get(running, OWNER).status == "completed"
