"""A ledger under test, whose clock the test sets, with what is known of its jobs and what must always hold of it."""

import time
from collections import Counter
from typing import Any

import msgspec
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
)
from redis import Redis

from shared import keys
from shared.jobs.ledger import Ledger
from shared.jobs.packing import unpack_result, unpack_rows
from shared.jobs.records import Lease
from shared.jobs.scripts import Scripts, source_of
from shared.settings import Settings
from tests.support.job_parts import JobParts

SETTINGS = Settings(
    result_ttl_s=1_000, max_job_age_s=3_000, max_open_jobs=4, job_lease_s=30, heartbeat_ttl_s=4, heartbeat_interval_s=1
)
OWNER = "owner"
# As in `shared/jobs/lua/common.lua`.
JOB_BYTES, CHUNK_BYTES = 2000, 120
WORKERS = ("anna", "bela", "cleo")
CLOCK = "test:clock"
AHEAD_MS = 100 * 24 * 3600 * 1000


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


class CheckedLedger(RuleBasedStateMachine):
    """A ledger on `redis` with a clock of its own, and the invariants, which read the store after each event."""

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
            self.redis.set(keys.worker(worker), "alive")

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

    def is_held(self, lease: Lease) -> bool:
        raw: Any = self.redis.hget(keys.job_part(lease.job_id, ":leases"), str(lease.first_row))
        return raw is not None and msgspec.json.decode(raw)["token"] == lease.token

    def rows_with_results(self, job_id: str) -> list[int]:
        results: Any = self.redis.hvals(keys.job_part(job_id, ":results"))
        return [row.line - 1 for packed in results for row in unpack_result(packed)[0]]

    def waiting_chunks(self, job_id: str) -> dict[int, list[int]]:
        chunks: Any = self.redis.hgetall(keys.job_part(job_id, ":input"))
        return {int(first): [row.line - 1 for row in unpack_rows(packed)] for first, packed in chunks.items()}

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
    def what_is_counted_for_the_owner_is_what_is_there(self) -> None:
        usage: Any = self.redis.hgetall(keys.USAGE + OWNER)
        listed: Any = self.redis.zrange(keys.USAGE_ENDS + OWNER, 0, -1)
        counted = {name.decode(): int(size) for name, size in usage.items()}
        assert counted.pop("", 0) == sum(counted.values())
        assert set(counted) == {name.decode() for name in listed}
        for base, size in counted.items():
            parts = [self.redis.hvals(base + part) for part in (":input", ":results")]
            chunks = [chunk for part in parts for chunk in part]
            if self.redis.exists(base):
                spec: Any = self.redis.hget(base, "spec")
                fixed = size - sum(map(len, chunks)) - CHUNK_BYTES * len(chunks)
                assert JOB_BYTES <= fixed <= JOB_BYTES + 2 * len(spec or b"") + 200
        there = {keys.job_part(job_id, "") for job_id in [*self.jobs, *self.uploads] if self.status(job_id) is not None}
        assert there <= set(counted)

    @invariant()
    def every_key_expires(self) -> None:
        mine = {CLOCK.encode(), *(keys.worker(worker).encode() for worker in WORKERS)}
        assert not [key for key in self.redis.scan_iter() if key not in mine and self.redis.ttl(key) == -1]
