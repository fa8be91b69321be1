"""How many jobs each key may have open, in a real Valkey."""

import pytest
from redis import Redis

from api.access.keyring import Keyring
from shared.access.records import KeyLimits, KeyRecord
from shared.errors import OverloadedError, RateLimitedError
from shared.jobs.packing import pack_rows
from shared.jobs.records import JobSpec, Row
from shared.settings import Settings
from tests.support.job_parts import JobParts

pytestmark = pytest.mark.integration

SETTINGS = Settings(max_open_jobs=8)


def parts_with(redis: Redis, *owners: str, open_jobs: int | None = None) -> JobParts:
    keyring = Keyring()
    keyring.load(
        KeyRecord(
            id=owner, name=owner, scopes=("jobs",), secrets=(), created_at=1, limits=KeyLimits(open_jobs=open_jobs)
        )
        for owner in owners
    )
    return JobParts(redis, SETTINGS, keyring)


def open_jobs(parts: JobParts, owner: str, most: int = 20) -> int:
    """How many jobs the owner can open, up to `most`."""
    for count in range(most):
        try:
            parts.capacity.require_room(owner)
            job_id = parts.writer.begin(owner)
            parts.writer.append(job_id, 0, pack_rows([Row(1, "글")]))
            parts.writer.commit(job_id, owner, JobSpec(format="txt"), 1, None)
        except OverloadedError:
            return count
    return most


def test_one_key_alone_may_have_all_open_jobs(redis: Redis) -> None:
    assert open_jobs(parts_with(redis, "a"), "a") == 8


def test_no_key_leaves_others_without_room_however_many_come(redis: Redis) -> None:
    parts = parts_with(redis, "a", "b", "c")

    assert [open_jobs(parts, owner) for owner in ("a", "b", "c")] == [4, 2, 1]
    with pytest.raises(RateLimitedError, match="as are left to all others"):
        parts.capacity.require_room("a")


def test_a_key_has_no_more_than_its_own_quota(redis: Redis) -> None:
    parts = parts_with(redis, "a", open_jobs=2)

    assert open_jobs(parts, "a") == 2
    with pytest.raises(RateLimitedError, match="2 jobs of this key are open") as refusal:
        parts.capacity.require_room("a")
    assert refusal.value.retry_after_s == 30


def test_uploads_that_began_together_are_held_to_the_quota_when_they_end(redis: Redis) -> None:
    parts = parts_with(redis, "a", open_jobs=1)
    jobs = [parts.writer.begin("a") for _ in range(2)]
    for job_id in jobs:
        parts.writer.append(job_id, 0, pack_rows([Row(1, "글")]))

    assert parts.writer.commit(jobs[0], "a", JobSpec(format="txt"), 1, None) == jobs[0]
    with pytest.raises(RateLimitedError):
        parts.writer.commit(jobs[1], "a", JobSpec(format="txt"), 1, None)
