"""A job in the ledger, from its upload to its end."""

import msgspec
import pytest
from redis import Redis

from api.jobs.pacing import recent_speed
from shared import keys
from shared.errors import ConflictError, NotFoundError
from shared.jobs.ledger import Ledger
from shared.jobs.packing import pack_rows, unpack_result, unpack_rows
from shared.jobs.records import Row
from tests.support.job_parts import JobParts
from tests.support.ledger_jobs import HOOK, OWNER, SETTINGS, add_job, hand_in, rows_of, take

pytestmark = pytest.mark.integration


def test_a_job_goes_from_in_progress_to_completed_and_keeps_every_row_in_order(parts: JobParts, ledger: Ledger) -> None:
    job_id = add_job(parts, chunks=3)
    assert parts.store.get(job_id, OWNER).status == "in_progress"

    leases = [take(ledger) for _ in range(3)]
    for lease in reversed(leases):
        assert hand_in(ledger, lease)

    job = parts.store.get(job_id, OWNER)
    assert (job.status, job.completed, job.failed, job.label_counts) == ("completed", 12, 0, {"clean": 12})
    starts = parts.store.result_starts(job_id)
    texts = [row.text for start in starts for row in unpack_result(parts.store.result_chunk(job_id, start) or b"")[0]]
    assert texts == [f"댓글 {number}" for number in range(12)]
    assert ledger.lease("w") is None


def test_failures_are_counted_and_the_first_ten_are_named(parts: JobParts, ledger: Ledger) -> None:
    job_id = add_job(parts, chunks=1, chunk_rows=12)
    hand_in(ledger, take(ledger), failed=11)

    job = parts.store.get(job_id, OWNER)
    assert (job.completed, job.failed, len(job.errors)) == (1, 11, 10)
    assert job.errors[0] == {"code": "prediction_failed", "message": "it broke", "row": 1, "line": 1}


def test_a_cancelled_job_keeps_what_is_in_hand_and_hands_out_no_more(parts: JobParts, ledger: Ledger) -> None:
    job_id = add_job(parts, chunks=3)
    lease = take(ledger)
    assert parts.store.cancel(job_id, OWNER).status == "cancelling"
    assert ledger.lease("w") is None
    assert hand_in(ledger, lease)

    job = parts.store.get(job_id, OWNER)
    assert (job.status, job.completed, job.remaining) == ("cancelled", 4, 8)
    assert parts.store.cancel(job_id, OWNER).status == "cancelled"


def test_a_completed_job_cannot_be_cancelled(parts: JobParts, ledger: Ledger) -> None:
    job_id = add_job(parts, chunks=1)
    hand_in(ledger, take(ledger))
    with pytest.raises(ConflictError, match="completed"):
        parts.store.cancel(job_id, OWNER)


def test_a_deleted_job_leaves_nothing_and_its_worker_is_not_disturbed(
    parts: JobParts, ledger: Ledger, redis: Redis
) -> None:
    job_id = add_job(parts, key="k")
    lease = take(ledger)
    parts.store.delete(job_id, OWNER)

    assert not hand_in(ledger, lease)
    with pytest.raises(NotFoundError):
        parts.store.get(job_id, OWNER)
    assert {key for key in redis.scan_iter() if b"worker" not in key} <= {keys.JOB_TURN_COUNTER.encode()}


def test_a_job_of_somebody_else_is_not_there(parts: JobParts) -> None:
    job_id = add_job(parts)
    with pytest.raises(NotFoundError):
        parts.store.get(job_id, "other")
    assert parts.store.page("other", 10, None) == ([], False)


def test_the_same_key_gives_the_same_job_and_the_second_upload_leaves_nothing(parts: JobParts, redis: Redis) -> None:
    first = add_job(parts, key="k")
    assert parts.writer.find_by_key(OWNER, "k") == first
    assert parts.writer.find_by_key("other", "k") is None
    assert add_job(parts, key="k") == first
    assert redis.zcard(keys.JOBS_OPEN) == 1


def test_jobs_are_listed_newest_first_in_pages(redis: Redis) -> None:
    parts = JobParts(redis, SETTINGS.model_copy(update={"max_open_jobs": 200}))
    ids = [add_job(parts, chunks=1) for _ in range(7)]
    for age, job_id in enumerate(ids):
        redis.zadd(keys.jobs_of(OWNER), {job_id: age})
    redis.delete(keys.job_part(ids[5], ""))

    page, has_more = parts.store.page(OWNER, 3, None)
    assert ([job.id for job in page], has_more) == ([ids[6], ids[4], ids[3]], True)
    page, has_more = parts.store.page(OWNER, 3, page[-1].id)
    assert ([job.id for job in page], has_more) == (ids[2::-1], False)
    with pytest.raises(NotFoundError):
        parts.store.page(OWNER, 3, "job_unknown")


def test_a_job_that_took_too_long_ends_as_expired_with_what_is_done(redis: Redis) -> None:
    settings = SETTINGS.model_copy(update={"max_job_age_s": 0})
    parts, ledger = JobParts(redis, settings), Ledger(redis, settings)
    job_id = add_job(parts)
    hand_in(ledger, take(ledger))
    ledger.sweep()
    job = parts.store.get(job_id, OWNER)
    assert (job.status, job.completed) == ("expired", 4)


def test_every_key_expires_whatever_state_the_job_is_in(parts: JobParts, ledger: Ledger, redis: Redis) -> None:
    def forever() -> list[bytes]:
        return [key for key in redis.scan_iter() if redis.ttl(key) == -1 and key != keys.worker("w").encode()]

    unfinished = parts.writer.begin(OWNER)
    parts.writer.append(unfinished, 0, pack_rows(rows_of(0, 1)))
    assert forever() == []
    job_id = add_job(parts, chunks=3, key="k", webhook_url=HOOK)
    assert forever() == []
    first, second, third = (take(ledger) for _ in range(3))
    assert forever() == []
    ledger.release(first)
    ledger.split(second, unpack_rows(second.packed_rows), 0)
    hand_in(ledger, third)
    ledger.sweep()
    assert forever() == []
    while (lease := ledger.lease("w")) is not None:
        hand_in(ledger, lease)
    assert parts.store.get(job_id, OWNER).status == "completed"
    assert forever() == []
    assert redis.ttl(keys.job_part(job_id, ":results")) <= SETTINGS.result_ttl_s


def test_a_packed_row_keeps_the_users_numbers_as_they_were_written() -> None:
    row = Row(1, "글", msgspec.Raw(b'{"price":1.10,"id":123456789012345678901234567890}'))
    assert bytes(memoryview(unpack_rows(pack_rows([row]))[0].fields)) == bytes(memoryview(row.fields))


def test_the_speed_is_that_of_the_last_chunks_and_falls_while_nothing_comes() -> None:
    pace = [(3_000, 100), (2_000, 100), (1_000, 500)]
    assert recent_speed(pace, 3_000) == 100
    assert recent_speed(pace, 6_000) == 100
    assert recent_speed(pace, 21_000) == 10
    assert recent_speed(pace[:1], 3_000) is None
    assert recent_speed([(1_004, 64), (1_000, 64)], 1_010) is None
