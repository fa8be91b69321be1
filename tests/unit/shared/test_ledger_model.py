"""The ledger under every order of events that hypothesis can think of, against a real Valkey.

Workers crash with chunks in hand and come back to hand them in, leases run out, the clock jumps forwards and backwards,
jobs are cancelled, deleted and expire. Whatever happens, no row may be lost, none counted twice, and no chunk kept from
everybody for ever. `HYPOTHESIS_PROFILE=nightly` tries many times as many orders.
"""

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from redis import Redis

import api.jobs.job_store
import api.jobs.writer
import shared.jobs.ledger
from api.jobs.webhook_queue import Busy, WebhookEnd
from shared import keys
from shared.errors import ConflictError, NotFoundError, OverloadedError, StoreUnavailableError
from shared.jobs.ledger import Ledger
from shared.jobs.packing import pack_rows, unpack_result, unpack_rows
from shared.jobs.records import JobSpec, Lease, Row, Verdicts
from shared.jobs.scripts import Scripts, source_of
from shared.settings import Settings
from shared.verdict import Failure, Outcome, Verdict
from tests.support.job_parts import JobParts
from tests.support.valkey import running_valkey

pytestmark = pytest.mark.integration

SETTINGS = Settings(
    result_ttl_s=1_000, max_job_age_s=3_000, max_open_jobs=4, job_lease_s=30, heartbeat_ttl_s=4, heartbeat_interval_s=1
)
OWNER = "owner"
WORKERS = ("anna", "bela", "cleo")
CLOCK = "test:clock"
AHEAD_MS = 100 * 24 * 3600 * 1000
# A lease, and the time in which a dead worker's heartbeat may still be there.
ROUNDS_TO_DRAIN, ROUND_MS = 10, 4_000


class ClockedScripts(Scripts):
    """The same scripts, which read the time from a key instead of from the server."""

    def run(self, name: str, keys: list[str], args: list[Any]) -> Any:
        source = source_of(name)
        assert "redis.call('TIME')" in source
        clocked = source.replace("redis.call('TIME')", f"redis.call('HMGET', '{CLOCK}', 'seconds', 'microseconds')")
        return self._redis.eval(clocked, len(keys), *keys, *args)


class KnownJob(msgspec.Struct):
    """What the test knows of a job: what it sent, and what it was told is done."""

    rows: set[int]
    done: set[int] = msgspec.field(default_factory=set)
    failed: set[int] = msgspec.field(default_factory=set)


class LedgerMachine(RuleBasedStateMachine):
    """Events of uploads, workers, callers and clocks; the invariants read the store after each of them."""

    redis: Redis

    def __init__(self) -> None:
        super().__init__()
        self.redis.flushall()
        # So far ahead of the server's own clock that going back never makes it expire a key before the test does.
        self.now_ms = int(time.time() * 1000) + AHEAD_MS
        self.move_clock(0)
        self.parts = JobParts(self.redis, SETTINGS)
        self.ledger = Ledger(self.redis, SETTINGS)
        self.jobs: dict[str, KnownJob] = {}
        self.uploads: dict[str, int] = {}
        self.leases: list[Lease] = []
        for worker in WORKERS:
            self.beat(worker)

    def move_clock(self, ms: int) -> None:
        self.now_ms += ms
        seconds, rest_ms = divmod(self.now_ms, 1000)
        self.redis.hset(CLOCK, mapping={"seconds": seconds, "microseconds": rest_ms * 1000})
        if ms > 0:
            self.expire_jobs()

    def expire_jobs(self) -> None:
        """Do what the server would do at this time, had it the same clock."""
        for key in list(self.redis.scan_iter(f"{keys.JOB}*")):
            if key.decode().removeprefix(keys.JOB).partition(":")[0] in self.jobs:
                gone_at = self.redis.expiretime(key)
                if 0 <= gone_at * 1000 <= self.now_ms:
                    self.redis.delete(key)

    def status(self, job_id: str) -> str | None:
        status: Any = self.redis.hget(keys.job_part(job_id, ""), "status")
        return None if status is None else status.decode()

    def pick(self, data: st.DataObject, choices: list[Any]) -> Any:
        return data.draw(st.sampled_from(choices))

    # Uploads

    @initialize(chunks=st.integers(1, 3))
    def submit(self, chunks: int) -> None:
        job_id = self.parts.writer.begin(OWNER)
        for first in range(0, 2 * chunks, 2):
            self.parts.writer.append(job_id, first, pack_rows([Row(first + 1, "하나"), Row(first + 2, "둘")]))
        self.parts.writer.commit(job_id, OWNER, JobSpec(format="txt"), 2 * chunks, None)
        self.jobs[job_id] = KnownJob(set(range(2 * chunks)))

    @rule()
    def begin_upload(self) -> None:
        if len(self.uploads) < 2:
            self.uploads[self.parts.writer.begin(OWNER)] = 0

    @precondition(lambda self: self.uploads)
    @rule(data=st.data(), rows=st.integers(1, 4))
    def send_rows(self, data: st.DataObject, rows: int) -> None:
        job_id = self.pick(data, list(self.uploads))
        first = self.uploads[job_id]
        if first < 12:
            chunk = [Row(number + 1, f"{job_id} {number}") for number in range(first, first + rows)]
            self.parts.writer.append(job_id, first, pack_rows(chunk))
            self.uploads[job_id] = first + rows

    @precondition(lambda self: any(self.uploads.values()))
    @rule(data=st.data(), has_webhook=st.booleans(), is_gone=st.sampled_from([False, False, False, True]))
    def commit(self, data: st.DataObject, has_webhook: bool, is_gone: bool) -> None:
        job_id = self.pick(data, [job for job, rows in self.uploads.items() if rows])
        total = self.uploads.pop(job_id)
        if is_gone:
            self.redis.delete(*self.redis.keys(f"{keys.JOB}{job_id}*"))
        spec = JobSpec(format="txt", webhook_url="https://example.com" if has_webhook else None)
        open_jobs = self.redis.zcard(keys.JOBS_OPEN)
        try:
            assert self.parts.writer.commit(job_id, OWNER, spec, total, None) == job_id
        except StoreUnavailableError:
            assert is_gone
        except OverloadedError:
            assert open_jobs == SETTINGS.max_open_jobs
            self.parts.writer.discard(job_id, OWNER)
        else:
            assert not is_gone
            assert open_jobs < SETTINGS.max_open_jobs
            self.jobs[job_id] = KnownJob(set(range(total)))

    @precondition(lambda self: self.uploads)
    @rule(data=st.data())
    def abort_upload(self, data: st.DataObject) -> None:
        job_id = self.pick(data, list(self.uploads))
        del self.uploads[job_id]
        self.parts.writer.discard(job_id, OWNER)

    # Workers

    @rule(worker=st.sampled_from(WORKERS))
    def beat(self, worker: str) -> None:
        self.redis.set(keys.worker(worker), "alive")

    @rule(worker=st.sampled_from(WORKERS))
    def fall_silent(self, worker: str) -> None:
        """It crashed, or is frozen and will come back with the leases that it had."""
        self.redis.delete(keys.worker(worker))

    @rule(worker=st.sampled_from(WORKERS))
    def crash_with_a_chunk(self, worker: str) -> None:
        self.take(worker)
        self.fall_silent(worker)

    @rule(worker=st.sampled_from(WORKERS))
    def take(self, worker: str) -> None:
        lease = self.ledger.lease(worker)
        has_work = any(self.status(job_id) == "in_progress" for job_id in self.jobs)
        assert lease is None or has_work
        if lease is not None:
            assert lease.job_id in self.jobs
            rows = {row.line - 1 for row in unpack_rows(lease.packed_rows)}
            assert not rows & self.jobs[lease.job_id].done
            self.leases.append(lease)

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        lease = self.pick(data, self.leases)
        assert self.ledger.renew(lease) == self.is_held(lease)

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), failing=st.integers(0, 1))
    def hand_in(self, data: st.DataObject, failing: int) -> None:
        self.complete(self.pick(data, self.leases), failing)

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        lease = self.pick(data, self.leases)
        was_held = self.is_held(lease)
        assert self.ledger.release(lease) == was_held

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def halve(self, data: st.DataObject) -> None:
        lease = self.pick(data, self.leases)
        rows = unpack_rows(lease.packed_rows)
        if len(rows) > 1:
            was_held = self.is_held(lease)
            assert self.ledger.split(lease, rows, 1) == was_held

    def is_held(self, lease: Lease) -> bool:
        raw: Any = self.redis.hget(keys.job_part(lease.job_id, ":leases"), str(lease.first_row))
        return raw is not None and msgspec.json.decode(raw)["token"] == lease.token

    def complete(self, lease: Lease, failing: int = 0) -> None:
        was_held = self.is_held(lease)
        rows = unpack_rows(lease.packed_rows)
        verdict = Verdict("clean", 0.9, {"clean": 0.9}, ["clean"])
        outcomes: list[Outcome] = [Failure("broken", "it broke")] * failing + [verdict] * (len(rows) - failing)
        is_stored = self.ledger.complete(lease, rows, Verdicts(["clean"], "r1", outcomes))
        assert is_stored == was_held
        if is_stored:
            job, numbers = self.jobs[lease.job_id], [row.line - 1 for row in rows]
            assert not job.done & set(numbers)
            job.done |= set(numbers)
            job.failed |= set(numbers[:failing])

    # Everybody else

    @rule()
    def sweep(self) -> None:
        self.ledger.sweep()

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        job_id = self.pick(data, list(self.jobs))
        try:
            assert self.parts.store.cancel(job_id, OWNER).status in {"cancelling", "cancelled"}
        except ConflictError:
            assert self.status(job_id) in {"completed", "expired"}
        except NotFoundError:
            assert self.status(job_id) is None

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        job_id = self.pick(data, list(self.jobs))
        self.parts.store.delete(job_id, OWNER)
        assert not self.redis.keys(f"{keys.JOB}{job_id}*")
        del self.jobs[job_id]

    @rule(ms=st.sampled_from([1, 999, 5_001, 30_000, 31_000, 400_000]))
    def wait(self, ms: int) -> None:
        self.move_clock(ms)

    @rule(ms=st.sampled_from([3_001_000, 4_100_000]))
    def wait_long(self, ms: int) -> None:
        self.move_clock(ms)

    @rule(ms=st.sampled_from([2, 10_000, 3_600_000]))
    def set_clock_back(self, ms: int) -> None:
        self.move_clock(-ms)

    @rule(has_retries=st.booleans())
    def claim_webhook(self, has_retries: bool) -> None:
        due = self.parts.webhooks.claim(60, Busy(has_retries=has_retries))
        assert due is None or self.status(due.job_id) is not None
        assert due is None or due.attempt == 1 or not has_retries

    @rule(
        data=st.data(),
        end=st.sampled_from(
            [WebhookEnd("pending", "e", 5), WebhookEnd("delivered"), WebhookEnd("failed"), WebhookEnd("postponed")]
        ),
    )
    def settle_webhook(self, data: st.DataObject, end: WebhookEnd) -> None:
        if self.jobs:
            self.parts.webhooks.settle(data.draw(st.sampled_from(sorted(self.jobs))), end)

    # What must hold whatever has happened

    @invariant()
    def every_row_is_waiting_or_done_and_never_both(self) -> None:
        for job_id, job in self.jobs.items():
            status = self.status(job_id)
            if status is None:
                assert not self.redis.keys(f"{keys.JOB}{job_id}*")
                continue
            results = Counter(self.rows_with_results(job_id))
            assert results == Counter(job.done)
            waiting = Counter(row for rows in self.waiting_chunks(job_id).values() for row in rows)
            if status == "in_progress":
                assert waiting + results == Counter(job.rows)
            shown = self.parts.store.get(job_id, OWNER)
            assert (shown.completed, shown.failed) == (len(job.done - job.failed), len(job.failed))
            assert (status == "completed") == (job.done == job.rows)

    @invariant()
    def every_waiting_chunk_is_open_or_leased_and_never_both(self) -> None:
        for job_id in self.jobs:
            open_chunks = [int(row) for row in self.redis.lrange(keys.job_part(job_id, ":open"), 0, -1)]
            leased = [int(row) for row in self.redis.hkeys(keys.job_part(job_id, ":leases"))]
            if self.status(job_id) == "in_progress":
                assert sorted(open_chunks + leased) == sorted(self.waiting_chunks(job_id))
                # A turn without an open chunk goes when it comes.
                assert not open_chunks or self.redis.zscore(keys.JOB_TURNS, job_id) is not None
            else:
                assert not open_chunks
                assert self.redis.zscore(keys.JOB_TURNS, job_id) is None or self.status(job_id) is None

    @invariant()
    def what_has_not_ended_is_listed_as_open_and_what_has_ended_holds_nothing(self) -> None:
        for job_id in self.jobs:
            status = self.status(job_id)
            is_open = self.redis.zscore(keys.JOBS_OPEN, job_id) is not None
            if status in {"in_progress", "cancelling"}:
                assert is_open
            elif status is not None:
                assert not is_open
                for part in (":input", ":open", ":leases", ":attempts"):
                    assert not self.redis.exists(keys.job_part(job_id, part))

    @invariant()
    def every_key_expires(self) -> None:
        mine = {CLOCK.encode(), *(keys.worker(worker).encode() for worker in WORKERS)}
        assert not [key for key in self.redis.scan_iter() if key not in mine and self.redis.ttl(key) == -1]

    def rows_with_results(self, job_id: str) -> list[int]:
        results: Any = self.redis.hvals(keys.job_part(job_id, ":results"))
        return [row.line - 1 for packed in results for row in unpack_result(packed)[0]]

    def waiting_chunks(self, job_id: str) -> dict[int, list[int]]:
        chunks: Any = self.redis.hgetall(keys.job_part(job_id, ":input"))
        return {int(first): [row.line - 1 for row in unpack_rows(packed)] for first, packed in chunks.items()}

    def teardown(self) -> None:
        """With one healthy worker left, every job ends within a lease: nothing is held for ever."""
        for worker in WORKERS[1:]:
            self.fall_silent(worker)
        for _ in range(ROUNDS_TO_DRAIN):
            self.beat(WORKERS[0])
            self.ledger.sweep()
            while (lease := self.ledger.lease(WORKERS[0])) is not None:
                self.complete(lease)
            if not self.redis.zcard(keys.JOBS_OPEN):
                break
            self.move_clock(ROUND_MS)
        self.every_row_is_waiting_or_done_and_never_both()
        stuck = {job_id: self.status(job_id) for job_id in self.jobs}
        assert not {job for job, status in stuck.items() if status in {"in_progress", "cancelling"}}, stuck


@pytest.fixture(scope="module")
def server() -> Iterator[Redis]:
    with running_valkey() as url, Redis.from_url(url) as redis:
        yield redis


@pytest.mark.timeout(6 * 3600)
def test_no_row_is_lost_none_is_doubled_and_no_lease_is_held_for_ever(
    server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (api.jobs.job_store, api.jobs.writer, shared.jobs.ledger):
        monkeypatch.setattr(module, "Scripts", ClockedScripts)
    machine = type("Machine", (LedgerMachine,), {"redis": server})
    run_state_machine_as_test(machine, settings=hypothesis_settings(stateful_step_count=25))


@pytest.mark.parametrize("back_s", [10, 3_600, 30 * 24 * 3_600])
def test_a_clock_that_is_set_back_holds_no_chunk_of_a_dead_worker(
    server: Redis, monkeypatch: pytest.MonkeyPatch, back_s: int
) -> None:
    for module in (api.jobs.job_store, api.jobs.writer, shared.jobs.ledger):
        monkeypatch.setattr(module, "Scripts", ClockedScripts)
    machine = type("Machine", (LedgerMachine,), {"redis": server})()
    machine.submit(chunks=2)
    machine.crash_with_a_chunk(WORKERS[1])

    machine.move_clock(-back_s * 1000)

    machine.teardown()
