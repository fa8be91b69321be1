"""Jobs in a ledger: one that was sent, the leases of its chunks, and verdicts on their rows."""

from typing import Any

from shared.jobs.ledger import Ledger
from shared.jobs.packing import pack_rows, unpack_rows
from shared.jobs.records import JobSpec, Lease, Row, Verdicts
from shared.settings import Settings
from shared.verdict import Failure, Verdict
from tests.support.job_parts import JobParts

SETTINGS = Settings(result_ttl_s=100, max_job_age_s=1_000, max_open_jobs=3, job_lease_s=30, heartbeat_ttl_s=0.05,
                    heartbeat_interval_s=0.05)  # fmt: skip


OWNER = "owner"


HOOK = "https://example.com"


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
