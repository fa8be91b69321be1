"""How much of the store each key may take, in a real Valkey."""

from collections.abc import Iterator

import pytest
from redis import Redis

from api.access.keyring import Keyring
from api.reviews.records import ReviewHead, new_review_id
from api.reviews.store import ReviewStore
from shared import keys
from shared.access.records import KeyRecord
from shared.errors import OverloadedError, RateLimitedError
from shared.jobs.ledger import Ledger
from shared.jobs.packing import pack_rows, unpack_rows
from shared.jobs.records import JobSpec, Row, Verdicts
from shared.settings import Settings
from shared.verdict import Verdict
from tests.support.happens import happens
from tests.support.job_parts import JobParts
from tests.support.valkey import running_valkey

pytestmark = pytest.mark.integration

SETTINGS = Settings(max_open_jobs=1_000, max_store_fill=0.95, result_ttl_s=1_000, max_job_age_s=3_000)
ROOM_BYTES, CHUNK = 8 << 20, b"x" * 100_000


@pytest.fixture
def redis() -> Iterator[Redis]:
    with running_valkey() as url, Redis.from_url(url) as client:
        client.config_set("maxmemory", client.info("memory")["used_memory"] + ROOM_BYTES)
        yield client


def parts_with(redis: Redis, *owners: str) -> JobParts:
    keyring = Keyring()
    keyring.load(KeyRecord(id=owner, name=owner, scopes=("jobs",), secrets=(), created_at=1) for owner in owners)
    return JobParts(redis, SETTINGS, keyring)


def add_job(parts: JobParts, owner: str, chunks: int = 1) -> str:
    parts.capacity.require_room(owner)
    job_id = parts.writer.begin(owner)
    try:
        for first in range(chunks):
            parts.writer.append(job_id, first, CHUNK)
            parts.capacity.require_memory(owner, job_id)
    except OverloadedError:
        parts.writer.discard(job_id, owner)
        raise
    return parts.writer.commit(job_id, owner, JobSpec(format="txt"), chunks, None)


def fill(parts: JobParts, owner: str) -> list[str]:
    """Jobs of one chunk until no more are taken."""
    jobs: list[str] = []
    while True:
        try:
            jobs.append(add_job(parts, owner))
        except OverloadedError:
            return jobs


def has_room(parts: JobParts, owner: str) -> bool:
    try:
        parts.capacity.require_room(owner)
    except OverloadedError:
        return False
    return True


def taken(redis: Redis, owner: str) -> int:
    return int(redis.hget(keys.USAGE + owner, "") or 0)


def test_one_key_alone_may_fill_the_store(redis: Redis) -> None:
    parts = parts_with(redis, "a")
    fill(parts, "a")
    assert taken(redis, "a") > 0.7 * ROOM_BYTES
    with pytest.raises(OverloadedError, match="nearly full"):
        [add_job(parts, "a") for _ in range(5)]


def test_each_key_takes_no_more_than_it_leaves_and_the_next_one_has_room(redis: Redis) -> None:
    parts = parts_with(redis, "a", "b", "c")
    shares = []
    for owner in ("a", "b", "c"):
        fill(parts, owner)
        shares.append(taken(redis, owner) / ROOM_BYTES)

    assert 0.4 < shares[0] < 0.6
    assert 0.2 < shares[1] < 0.3
    assert 0.1 < shares[2] < 0.2
    with pytest.raises(RateLimitedError, match="MAX_STORE_FILL"):
        parts.capacity.require_room("a")


def test_a_single_upload_is_held_to_the_same_share_and_what_it_left_is_given_back(redis: Redis) -> None:
    parts = parts_with(redis, "a", "b")
    job_id = parts.writer.begin("a")

    def go_on() -> None:
        for first in range(200):
            parts.writer.append(job_id, first, CHUNK)
            parts.capacity.require_memory("a", job_id)

    with pytest.raises(RateLimitedError) as refusal:
        go_on()
    assert refusal.value.retry_after_s == 60
    parts.capacity.require_room("b")

    parts.writer.discard(job_id, "a")
    assert not redis.exists(keys.USAGE + "a", keys.USAGE_ENDS + "a", keys.JOB_UPLOADS)
    parts.capacity.require_room("a")


def test_rows_of_an_upload_count_with_the_results_that_they_will_have(redis: Redis) -> None:
    parts = parts_with(redis, "a", "b")
    job_id = parts.writer.begin("a")
    parts.writer.append(job_id, ROOM_BYTES // 32 * 2 // 3, b"x")
    with pytest.raises(RateLimitedError):
        parts.capacity.require_memory("a", job_id)


async def test_a_key_that_deletes_jobs_may_go_on(redis: Redis) -> None:
    parts = parts_with(redis, "a", "b")
    jobs = fill(parts, "a")
    for job_id in jobs[:3]:
        parts.store.delete(job_id, "a")

    # The store frees in the background what is deleted.
    await happens(lambda: has_room(parts, "a"))
    add_job(parts, "a")


async def test_a_key_whose_jobs_expire_may_go_on_and_is_told_when(redis: Redis) -> None:
    parts = parts_with(redis, "a", "b")
    jobs = fill(parts, "a")
    with pytest.raises(RateLimitedError) as refusal:
        [add_job(parts, "a") for _ in range(5)]
    assert 3_900 < refusal.value.retry_after_s <= 4_000

    # A version that counts nothing ended them: what they took is not known to be gone.
    for job_id in jobs[:3]:
        redis.delete(*(keys.job_part(job_id, part) for part in ("", ":input", ":open")))
    await happens(lambda: has_room(parts, "a"))
    # They are forgotten when the key would be refused.
    fill(parts, "a")
    assert redis.hget(keys.USAGE + "a", keys.job_part(jobs[0], "")) is None


def test_jobs_of_an_earlier_version_are_not_counted_and_harm_nothing(redis: Redis) -> None:
    parts, ledger = parts_with(redis, "a", "b"), Ledger(redis, SETTINGS)
    job_id = parts.writer.begin("a")
    redis.delete(keys.USAGE + "a", keys.USAGE_ENDS + "a")
    parts.writer.append(job_id, 0, pack_rows([Row(1, "글")]))
    parts.writer.commit(job_id, "a", JobSpec(format="txt"), 1, None)
    lease = ledger.lease("w")
    assert lease is not None
    verdicts = Verdicts(["clean"], "r", [Verdict("clean", 0.9, {"clean": 0.9}, ["clean"])])
    assert ledger.complete(lease, unpack_rows(lease.packed_rows), verdicts)
    assert parts.store.get(job_id, "a").status == "completed"
    assert not redis.exists(keys.USAGE + "a")
    parts.capacity.require_room("a")


def test_review_queues_count_until_they_are_removed(redis: Redis) -> None:
    store = ReviewStore(redis)
    queue = ReviewHead(
        id=new_review_id(), job_id=None, file_name=None, order="file", policy=None, total=0, left_out=0, created_at=1,
        expires_at=4_000_000_000,
    )  # fmt: skip
    assert store.add("a", queue, [], 1)
    assert taken(redis, "a") > 0
    store.remove("a", queue.id)
    assert taken(redis, "a") == 0
