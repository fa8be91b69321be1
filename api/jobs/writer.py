"""Writes a job into the store: chunk by chunk while its upload lasts, then made real in one step.

The chunks of an upload lie under keys that expire minutes after the last of them, so an upload that breaks off leaves
nothing behind.
"""

import secrets
import time
from typing import Any

import msgspec
from redis import Redis
from redis.exceptions import ResponseError

from api.jobs.capacity import require_disk
from api.jobs.job_store import INDEX_KEYS
from api.jobs.room import JobRoom
from shared import keys
from shared.errors import StoreUnavailableError
from shared.jobs import journal
from shared.jobs.records import JobSpec
from shared.jobs.scripts import Scripts
from shared.settings import Settings

UPLOAD_TTL_S = 600
# `appendfsync everysec` may take two seconds when the disk is busy.
FSYNC_WAIT_MS = 2_000


class JobWriter:
    """Thread-safe and blocking. Every method raises `redis.RedisError` when Redis does not answer."""

    def __init__(self, redis: Redis, settings: Settings, room: JobRoom) -> None:
        self._redis = redis
        self._room = room
        self._settings = settings
        self._scripts = Scripts(redis)

    def begin(self, owner: str) -> str:
        """Reserve an id for an upload."""
        job_id = f"job_{secrets.token_hex(12)}"
        self._scripts.run("begin", [], [keys.JOB, job_id, owner, int(time.time()), UPLOAD_TTL_S])
        return job_id

    def append(self, job_id: str, first_row: int, packed_rows: bytes) -> None:
        """Write one chunk of an upload.

        Raises:
            StoreUnavailableError: the upload took so long that it has expired.
        """
        if not self._scripts.run("append", [], [keys.JOB, job_id, first_row, packed_rows, UPLOAD_TTL_S]):
            raise _lost()

    def commit(self, job_id: str, owner: str, spec: JobSpec, total: int, idempotency_digest: str | None) -> str:
        """Make the job real and durable; returns its id, or that of an earlier job with the same Idempotency-Key.

        Raises:
            UnauthorisedError: the owner's key was revoked meanwhile.
            OverloadedError: too many jobs are open, of all or of this owner.
            StoreUnavailableError: the upload took so long that its first chunks expired.
            DiskFullError: the store would keep the job in memory alone.
        """
        self._room.require_valid(owner)
        require_disk(self._redis)
        fields = {"total": total, "spec": msgspec.json.encode(spec).decode()}
        if spec.webhook_url is not None:
            fields["webhook"] = spec.webhook_url
        idempotency = "" if idempotency_digest is None else keys.idempotency(owner, idempotency_digest)
        life_s = self._settings.max_job_age_s + self._settings.result_ttl_s
        most, *own = self._room.limits_of(owner)
        limits = [most, self._settings.max_job_age_s, life_s, *own]
        all_keys = [*INDEX_KEYS, keys.JOB_TURN_COUNTER, keys.jobs_of(owner), idempotency]
        arguments = [keys.JOB, job_id, msgspec.json.encode(fields), *limits]
        # One connection for both: WAITAOF waits only for writes over its own connection.
        with self._redis.client() as connection:  # type: ignore[no-untyped-call]  # redis-py does not say what it returns
            answer = [part.decode() for part in Scripts(connection).run("commit", all_keys, arguments)]
            self._wait_until_on_disk(connection)
        self._room.refuse(answer[0], owner)
        if answer[0] == "gone":
            raise _lost()
        if answer[0] == "ok":
            journal.note_accepted(job_id, spec, total)
        return str(answer[1])

    def discard(self, job_id: str, owner: str) -> None:
        """Remove what an upload has written."""
        self._scripts.run("delete", [*INDEX_KEYS, keys.jobs_of(owner)], [keys.JOB, job_id])

    def find_by_key(self, owner: str, digest: str) -> str | None:
        """The id of the job that this Idempotency-Key made, if it still exists."""
        found: Any = self._redis.get(keys.idempotency(owner, digest))
        if found is None or not self._redis.exists(keys.job_part(found.decode(), "")):
            return None
        return str(found.decode())

    def _wait_until_on_disk(self, connection: Redis) -> None:
        """Wait until the store has synced its append-only file to disk; it does so every second.

        Does nothing on a store that has no such file, or that is too old to know the command.

        Raises:
            DiskFullError: the embedded store has stopped writing meanwhile.
            ResponseError: the store cannot write to its disk.
        """
        try:
            synced, _ = connection.waitaof(num_local=1, num_replicas=0, timeout=FSYNC_WAIT_MS)
        except ResponseError:
            require_disk(self._redis)
            return
        if not synced:
            # A slow disk is no fault; one that cannot be written to makes the server refuse PING.
            connection.ping()


def _lost() -> StoreUnavailableError:
    return StoreUnavailableError("the store lost the upload before it was complete; send it again")
