"""The ledger of chunks in Redis: workers lease, renew, complete, split and release chunks here.

The ledger is the source of truth; a Celery message only says that there is work. Each lease has a token that grows with
every lease of its job, so a worker that lost its lease can change nothing (fencing tokens, Kleppmann, "How to do
distributed locking", 2016). A result is stored under its chunk's first row, so doing a chunk twice changes nothing.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
from redis import Redis

from shared import keys
from shared.errors import UnavailableError
from shared.jobs import journal
from shared.jobs.packing import pack_rows, pack_verdicts
from shared.jobs.records import SPEC_VERSION, Lease, Row, Verdicts
from shared.jobs.scripts import Scripts
from shared.options import VerdictOptions
from shared.settings import Settings
from shared.verdict import Failure

# Most errors in a job object; the errors file has them all.
ERRORS_SHOWN = 10
LABEL_FIELD = "label:"
_KEYS = [keys.JOB_TURNS, keys.JOBS_OPEN, keys.JOB_WEBHOOKS, keys.JOB_TURN_COUNTER]


class _LeasedSpec(msgspec.Struct):
    """What a worker needs of a `JobSpec`."""

    options: VerdictOptions | None = None
    version: int = 1


_LEASED_SPEC = msgspec.json.Decoder(_LeasedSpec)


class Ledger:
    """Thread-safe. Every method raises `redis.RedisError` when Redis does not answer."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._scripts = Scripts(redis)
        self._lease_ms = int(settings.job_lease_s * 1000)
        self._result_ttl_s = settings.result_ttl_s
        # For this long a dead worker's heartbeat may still exist, and a new worker's may not exist yet.
        self._heartbeat_grace_ms = int(1000 * (settings.heartbeat_ttl_s + settings.heartbeat_interval_s))

    def lease(self, worker_id: str) -> Lease | None:
        """Take the next chunk of the job whose turn it is; None when there is no work.

        Raises:
            UnavailableError: the job was accepted by a later version of this program; its chunk is given back.
        """
        reply = self._scripts.run("lease", _KEYS, [keys.JOB, worker_id, self._lease_ms])
        if reply is None:
            return None
        job_id, first_row, attempt, token, packed_rows, raw_spec = reply
        lease = Lease(job_id.decode(), int(first_row), attempt, token, packed_rows)
        try:
            spec = _LEASED_SPEC.decode(raw_spec)
        except msgspec.DecodeError as error:
            self.release(lease)
            raise _too_new(lease) from error
        if spec.version > SPEC_VERSION:
            self.release(lease)
            raise _too_new(lease)
        return msgspec.structs.replace(lease, options=spec.options)

    def renew(self, lease: Lease) -> bool:
        """Extend the lease; False if it is lost, because the job is gone or another worker has the chunk."""
        return bool(self._scripts.run("renew", [], [*_proof(lease), self._lease_ms]))

    def release(self, lease: Lease) -> bool:
        """Give the chunk back; the attempt does not count."""
        return self._run("release", [*_proof(lease), self._result_ttl_s])

    def complete(self, lease: Lease, rows: Sequence[Row], verdicts: Verdicts) -> bool:
        """Store the outcomes of the leased `rows`; returns False and changes nothing if the lease was lost."""
        failures = _failures(lease.first_row, rows, verdicts)
        arguments = [
            *_proof(lease),
            pack_verdicts(verdicts),
            self._result_ttl_s,
            msgspec.json.encode(_counts(verdicts)),
            msgspec.json.encode(verdicts.label_names),
            msgspec.json.encode(failures[:ERRORS_SHOWN]),
            ERRORS_SHOWN,
        ]
        return self._run("complete", arguments)

    def split(self, lease: Lease, rows: Sequence[Row], attempts: int) -> bool:
        """Replace the chunk of the leased `rows` by its two halves, each with `attempts` attempts already counted."""
        middle = len(rows) // 2
        halves = (pack_rows(list(rows[:middle])), lease.first_row + middle, pack_rows(list(rows[middle:])))
        return bool(self._scripts.run("split", _KEYS, [*_proof(lease), *halves, attempts]))

    def sweep(self) -> tuple[int, int]:
        """Reopen the chunks of dead workers and expire old jobs; returns (chunks reopened, jobs with work)."""
        arguments = [keys.JOB, keys.WORKER, self._heartbeat_grace_ms, self._result_ttl_s]
        jobs, ended, opened = self._scripts.run("sweep", _KEYS, arguments)
        journal.note_ended(ended)
        return journal.note_reopened(opened), jobs

    def _run(self, name: str, arguments: list[Any]) -> bool:
        """Run a script that may end the job, and log that; returns whether the script succeeded."""
        is_done, ended = self._scripts.run(name, _KEYS, arguments)
        journal.note_ended(ended)
        return bool(is_done)


def _too_new(lease: Lease) -> UnavailableError:
    return UnavailableError(f"job {lease.job_id} was accepted by a later version; start workers of that version")


def _proof(lease: Lease) -> list[Any]:
    return [keys.JOB, lease.job_id, lease.first_row, lease.token]


def _counts(verdicts: Verdicts) -> dict[str, int]:
    failed = sum(isinstance(outcome, Failure) for outcome in verdicts.outcomes)
    labels = Counter(outcome.classification for outcome in verdicts.outcomes if not isinstance(outcome, Failure))
    counts = {"completed": len(verdicts.outcomes) - failed, "failed": failed}
    if corrected := sum(not isinstance(one, Failure) and one.corrected is True for one in verdicts.outcomes):
        counts["corrected"] = corrected
    return {**counts, **{LABEL_FIELD + label: count for label, count in labels.items()}}


def _failures(first_row: int, rows: Sequence[Row], verdicts: Verdicts) -> list[dict[str, Any]]:
    return [
        {"code": outcome.code, "message": outcome.message, "row": first_row + index + 1, "line": row.line}
        for index, (row, outcome) in enumerate(zip(rows, verdicts.outcomes, strict=True))
        if isinstance(outcome, Failure)
    ]
