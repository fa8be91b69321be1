"""The ledger under every order of events that hypothesis can think of, against a real Valkey.

Workers crash with chunks in hand and come back to hand them in, leases run out, the clock jumps forwards and backwards,
jobs are cancelled, deleted and expire. Whatever happens, no row may be lost, none counted twice, and no chunk kept from
everybody for ever. `HYPOTHESIS_PROFILE=nightly` tries many times as many orders.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
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
from shared.jobs.packing import pack_rows, unpack_rows
from shared.jobs.records import JobSpec, Lease, Row, Verdicts
from shared.verdict import Failure, Outcome, Verdict
from tests.support.checked_ledger import OWNER, SETTINGS, WORKERS, CheckedLedger, ClockedScripts, KnownJob
from tests.support.valkey import running_valkey

pytestmark = pytest.mark.integration

# A lease, and the time in which a dead worker's heartbeat may still be there.
ROUNDS_TO_DRAIN, ROUND_MS = 10, 4_000


class LedgerMachine(CheckedLedger):
    """Events of uploads, workers, callers and clocks."""

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
