import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from redis import Redis

from api.access.keyring import Keyring
from api.jobs.capacity import StoreCapacity
from api.jobs.pacing import recent_speed
from api.jobs.room import JobRoom
from api.jobs.webhook_queue import Busy, DueWebhook, WebhookEnd
from shared import keys
from shared.errors import ConflictError, DiskFullError, NotFoundError, OverloadedError, UnavailableError
from shared.jobs.ledger import Ledger
from shared.jobs.packing import pack_rows, unpack_result, unpack_rows
from shared.jobs.records import JobSpec, Lease, Row, Verdicts, Webhook
from shared.options import VerdictOptions
from shared.settings import Settings
from shared.verdict import Failure, Verdict
from tests.support.job_parts import JobParts
from tests.support.valkey import running_valkey

pytestmark = pytest.mark.integration

SETTINGS = Settings(result_ttl_s=100, max_job_age_s=1_000, max_open_jobs=3, job_lease_s=30, heartbeat_ttl_s=0.05,
                    heartbeat_interval_s=0.05)  # fmt: skip
OWNER = "owner"
HOOK = "https://example.com"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running_valkey() as url:
        yield url


@pytest.fixture
def redis(server: str) -> Iterator[Redis]:
    with Redis.from_url(server) as client:
        client.flushall()
        yield client


@pytest.fixture
def parts(redis: Redis) -> JobParts:
    return JobParts(redis, SETTINGS)


@pytest.fixture
def ledger(redis: Redis) -> Ledger:
    redis.set(keys.worker("w"), "alive")
    return Ledger(redis, SETTINGS)


def rows_of(first: int, count: int) -> list[Row]:
    return [Row(number + 1, f"댓글 {number}") for number in range(first, first + count)]


def add_job(parts: JobParts, chunks: int = 2, chunk_rows: int = 4, key: str | None = None, **spec: Any) -> str:
    job_id = parts.writer.begin(OWNER)
    for number in range(chunks):
        parts.writer.append(job_id, number * chunk_rows, pack_rows(rows_of(number * chunk_rows, chunk_rows)))
    return parts.writer.commit(job_id, OWNER, JobSpec(format="txt", **spec), chunks * chunk_rows, key)


def take(ledger: Ledger, worker: str = "w") -> Lease:
    lease = ledger.lease(worker)
    assert lease is not None
    return lease


def verdicts_on(lease: Lease, failed: int = 0) -> tuple[list[Row], Verdicts]:
    rows = unpack_rows(lease.packed_rows)
    outcomes = [Verdict("clean", 0.9, {"clean": 0.9, "curse": 0.1}, ["clean"]) for _ in rows[failed:]]
    failures = [Failure("prediction_failed", "it broke") for _ in rows[:failed]]
    return rows, Verdicts(["clean", "curse"], "r1", [*failures, *outcomes])


def hand_in(ledger: Ledger, lease: Lease, failed: int = 0) -> bool:
    return ledger.complete(lease, *verdicts_on(lease, failed))


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


def test_handing_in_twice_changes_nothing(parts: JobParts, ledger: Ledger) -> None:
    job_id = add_job(parts)
    lease = take(ledger)
    assert hand_in(ledger, lease)
    assert not hand_in(ledger, lease)
    assert parts.store.get(job_id, OWNER).completed == 4


def test_a_lost_lease_can_neither_hand_in_nor_renew_nor_release_nor_split(
    parts: JobParts, ledger: Ledger, redis: Redis
) -> None:
    job_id = add_job(parts, chunks=1)
    lost = take(ledger, "dead")
    time.sleep(0.15)
    assert ledger.sweep() == (1, 1)
    held = take(ledger)
    assert (held.first_row, held.attempt) == (lost.first_row, 2)

    assert not hand_in(ledger, lost)
    assert not ledger.renew(lost)
    assert not ledger.release(lost)
    assert not ledger.split(lost, unpack_rows(lost.packed_rows), 0)
    assert hand_in(ledger, held)
    assert parts.store.get(job_id, OWNER).completed == 4


def test_a_living_worker_keeps_its_lease_through_sweeps(parts: JobParts, ledger: Ledger) -> None:
    add_job(parts, chunks=1)
    lease = take(ledger)
    time.sleep(0.15)
    assert ledger.sweep() == (0, 1)
    assert ledger.renew(lease)
    assert hand_in(ledger, lease)


def test_a_lease_that_ran_out_is_opened_again_although_its_worker_lives(redis: Redis) -> None:
    impatient = Ledger(redis, SETTINGS.model_copy(update={"job_lease_s": 0.01}))
    redis.set(keys.worker("w"), "alive")
    add_job(JobParts(redis, SETTINGS), chunks=1)
    take(impatient)
    time.sleep(0.05)
    assert impatient.sweep()[0] == 1


def test_a_released_chunk_comes_next_and_its_attempt_does_not_count(parts: JobParts, ledger: Ledger) -> None:
    add_job(parts)
    first = take(ledger)
    assert ledger.release(first)
    again = take(ledger)
    assert (again.first_row, again.attempt) == (first.first_row, 1)


def test_halves_take_the_place_of_their_chunk(parts: JobParts, ledger: Ledger) -> None:
    job_id = add_job(parts, chunks=1, chunk_rows=5)
    lease = take(ledger)
    assert ledger.split(lease, unpack_rows(lease.packed_rows), attempts=2)

    left, right = take(ledger), take(ledger)
    assert [(half.first_row, half.attempt) for half in (left, right)] == [(0, 3), (2, 3)]
    assert [len(unpack_rows(half.packed_rows)) for half in (left, right)] == [2, 3]
    hand_in(ledger, right)
    hand_in(ledger, left)
    assert parts.store.get(job_id, OWNER).status == "completed"
    assert list(parts.store.result_starts(job_id)) == [0, 2]


def test_jobs_take_turns(parts: JobParts, ledger: Ledger) -> None:
    long_one = add_job(parts, chunks=6)
    assert [take(ledger).job_id for _ in range(2)] == [long_one, long_one]
    short_ones = [add_job(parts, chunks=1), add_job(parts, chunks=1)]

    turns = [take(ledger).job_id for _ in range(4)]

    assert set(turns[:3]) == {long_one, *short_ones}
    assert turns[3] == long_one


def test_a_chunk_that_nobody_has_is_found_again(parts: JobParts, ledger: Ledger, redis: Redis) -> None:
    job_id = add_job(parts, chunks=2)
    redis.delete(keys.job_part(job_id, ":open"), keys.JOB_TURNS)
    assert ledger.lease("w") is None
    assert ledger.sweep() == (2, 1)
    assert sorted(take(ledger).first_row for _ in range(2)) == [0, 4]


def test_a_cancelled_job_keeps_what_is_in_hand_and_hands_out_no_more(parts: JobParts, ledger: Ledger) -> None:
    job_id = add_job(parts, chunks=3)
    lease = take(ledger)
    assert parts.store.cancel(job_id, OWNER).status == "cancelling"
    assert ledger.lease("w") is None
    assert hand_in(ledger, lease)

    job = parts.store.get(job_id, OWNER)
    assert (job.status, job.completed, job.remaining) == ("cancelled", 4, 8)
    assert parts.store.cancel(job_id, OWNER).status == "cancelled"


def test_a_cancelled_job_ends_when_the_worker_that_has_its_last_chunk_died(parts: JobParts, ledger: Ledger) -> None:
    job_id = add_job(parts)
    take(ledger, "dead")
    parts.store.cancel(job_id, OWNER)
    time.sleep(0.15)
    ledger.sweep()
    assert parts.store.get(job_id, OWNER).status == "cancelled"


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


def test_more_jobs_than_may_be_open_are_refused(parts: JobParts) -> None:
    for _ in range(3):
        add_job(parts)
    with pytest.raises(OverloadedError, match="MAX_OPEN_JOBS"):
        add_job(parts)
    with pytest.raises(OverloadedError):
        parts.capacity.require_room(OWNER)


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


def test_a_webhook_is_due_at_the_end_and_is_claimed_by_one(parts: JobParts, ledger: Ledger) -> None:
    job_id = add_job(parts, chunks=1, webhook_url=HOOK)
    assert parts.webhooks.claim(60, Busy()) is None
    assert parts.store.get(job_id, OWNER).webhook == Webhook("waiting", 0, None, None)
    hand_in(ledger, take(ledger))
    assert parts.webhooks.claim(60, Busy()) == DueWebhook(job_id, OWNER, "example.com", 1)
    assert parts.webhooks.claim(60, Busy()) is None
    assert parts.store.get(job_id, OWNER).webhook == Webhook("pending", 1, None, None)
    parts.webhooks.settle(job_id, WebhookEnd("pending", "it was slow", -1))
    due = parts.webhooks.claim(60, Busy())
    assert due is not None
    assert due.attempt == 2
    parts.webhooks.settle(job_id, WebhookEnd("failed", "it was slow"))
    assert parts.webhooks.claim(60, Busy()) is None
    assert parts.store.get(job_id, OWNER).webhook == Webhook("failed", 2, "it was slow", None)


def test_webhooks_to_a_busy_receiver_or_of_a_busy_owner_are_passed_over(parts: JobParts, ledger: Ledger) -> None:
    hooks = ["https://Slow.example:8443/a?b", "https://slow.example:8443#c", "http://quick.example/"]
    jobs = [add_job(parts, chunks=1, webhook_url=hook) for hook in hooks]
    for _ in jobs:
        hand_in(ledger, take(ledger))
    assert parts.webhooks.claim(60, Busy(owners=(OWNER,))) is None
    found = [parts.webhooks.claim(60, Busy(busy)) for busy in (("slow.example:8443",), ("slow.example:8443",), (), ())]

    first, second, *others = [due and (due.job_id, due.receiver) for due in found]
    assert (first, second) == ((jobs[2], "quick.example"), None)
    # Both have been due since the same second.
    assert set(others) == {(jobs[0], "slow.example:8443"), (jobs[1], "slow.example:8443")}


def test_a_deleted_job_has_no_webhook_and_none_comes_back_with_its_settlement(
    parts: JobParts, ledger: Ledger, redis: Redis
) -> None:
    job_id = add_job(parts, chunks=1, webhook_url=HOOK)
    hand_in(ledger, take(ledger))
    assert parts.webhooks.claim(0, Busy()) is not None
    parts.store.delete(job_id, OWNER)
    parts.webhooks.settle(job_id, WebhookEnd("delivered"))

    assert parts.webhooks.claim(60, Busy()) is None
    assert not redis.exists(keys.job_part(job_id, ""))


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


def test_a_packed_row_keeps_the_users_numbers_as_they_were_written() -> None:
    row = Row(1, "글", msgspec.Raw(b'{"price":1.10,"id":123456789012345678901234567890}'))
    assert bytes(memoryview(unpack_rows(pack_rows([row]))[0].fields)) == bytes(memoryview(row.fields))


def test_the_speed_is_that_of_the_last_chunks_and_falls_while_nothing_comes() -> None:
    pace = [(3_000, 100), (2_000, 100), (1_000, 500)]
    assert recent_speed(pace, 3_000) == 100
    assert recent_speed(pace, 6_000) == 100
    assert recent_speed(pace, 21_000) == 10
    assert recent_speed(pace[:1], 3_000) is None


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


def test_a_lease_brings_the_options_of_its_job(parts: JobParts, ledger: Ledger) -> None:
    options = VerdictOptions("strict", (("curse", 0.4),))
    add_job(parts, chunks=1)
    add_job(parts, chunks=1, options=options)

    assert [take(ledger).options for _ in range(2)] == [None, options]


@pytest.mark.parametrize("later", ['"version":2', '"options":{"policy":"board1"}'])
def test_a_job_of_a_later_version_is_left_alone_and_others_go_on(
    parts: JobParts, ledger: Ledger, redis: Redis, later: str
) -> None:
    job_id = add_job(parts, chunks=1)
    redis.hset(keys.job_part(job_id, ""), "spec", f'{{"format":"txt",{later}}}')
    other = add_job(parts, chunks=1)

    with pytest.raises(UnavailableError, match=f"{job_id} was accepted by a later version"):
        ledger.lease("w")

    lease = take(ledger)
    assert lease.job_id == other
    hand_in(ledger, lease)
    redis.hset(keys.job_part(job_id, ""), "spec", '{"format":"txt"}')
    assert take(ledger).attempt == 1  # it was given back as if it had never been taken
