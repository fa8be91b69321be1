"""The API keys in the store. Every change raises the generation, by which API processes see it within a second."""

import time
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import msgspec
from redis import Redis
from redis.exceptions import ResponseError

from shared import keys
from shared.access import audit
from shared.access.records import HINT_CHARS, KeyRecord, Secret, digest_of, new_key_id, new_secret
from shared.errors import ConflictError, NotFoundError

# Each API process holds them all in memory. Beyond this, the oldest revoked or expired one is forgotten.
MAX_KEYS = 1_000
_FSYNC_WAIT_MS = 2_000
_KEYS = (keys.ACCESS_KEYS, keys.ACCESS_GENERATION, keys.ACCESS_AUDIT)
_WRITE = (files("shared.access") / "lua" / "write.lua").read_text("utf-8")
_DECODER = msgspec.json.Decoder(KeyRecord)

Change = Callable[[KeyRecord], KeyRecord]


def decode_records(raw: dict[bytes, bytes]) -> list[KeyRecord]:
    """The records of the hash, oldest first."""
    return sorted(map(_DECODER.decode, raw.values()), key=lambda record: (record.created_at, record.id))


class KeyStore:
    """For the command `kobert keys`: blocking, one caller at a time. Methods raise `RedisError` without a Redis."""

    def __init__(self, redis: Redis, actor: str) -> None:
        self._redis = redis
        self._actor = actor

    def all(self) -> list[KeyRecord]:
        """Every key, oldest first; revoked ones too."""
        found: Any = self._redis.hgetall(keys.ACCESS_KEYS)
        return decode_records(found)

    def add(self, draft: KeyRecord) -> tuple[KeyRecord, str]:
        """Store a new key with an id and a secret of its own; returns both, and the secret is not kept.

        Raises:
            ConflictError: a valid key has the name, or there are too many keys.
        """
        secret = new_secret()
        record = msgspec.structs.replace(draft, id=new_key_id(), secrets=(_secret(secret),))

        def add_to(records: list[KeyRecord]) -> list[KeyRecord]:
            if _named(records, record.name, time.time()) is not None:
                raise ConflictError(f"there is a key {record.name!r}; choose another name", code="name_taken")
            return [record]

        self._write("key.added", add_to)
        return record, secret

    def rotate(self, name: str, grace_s: int) -> tuple[KeyRecord, str]:
        """Give a key another secret; the present one ends after `grace_s`, an older one at once.

        Raises:
            NotFoundError: no valid key has this name or id.
        """
        secret = new_secret()
        ends_at = int(time.time()) + grace_s

        def rotated(record: KeyRecord) -> KeyRecord:
            old = [msgspec.structs.replace(record.secrets[0], expires_at=ends_at)] if grace_s else []
            return msgspec.structs.replace(record, secrets=(_secret(secret), *old))

        return self._change("key.rotated", name, rotated), secret

    def revoke(self, name: str) -> KeyRecord:
        """End a key. Its record stays, without secrets, so that the audit log can be read.

        Raises:
            NotFoundError: as `rotate`.
        """
        now = int(time.time())
        return self._change(
            "key.revoked",
            name,
            lambda record: msgspec.structs.replace(record, revoked_at=now, secrets=(), webhook_secret=None),
        )

    def change(self, name: str, change: Change) -> KeyRecord:
        """Store what `change` makes of a key.

        Raises:
            NotFoundError: as `rotate`.
        """
        return self._change("key.changed", name, change)

    def _change(self, action: str, name: str, change: Change) -> KeyRecord:
        def change_one(records: list[KeyRecord]) -> list[KeyRecord]:
            found = _named(records, name, time.time())
            if found is None:
                raise NotFoundError(f"there is no valid key {name!r}; kobert keys list shows those that there are")
            return [change(found)]

        return self._write(action, change_one)[0]

    def _write(self, action: str, edit: Callable[[list[KeyRecord]], list[KeyRecord]]) -> list[KeyRecord]:
        """Store the records that `edit` makes of all records; starts again if another process was faster."""
        written: list[KeyRecord] = []
        is_written = False
        while not is_written:
            # The generation first: a change between the two reads is then noticed.
            generation: Any = self._redis.get(keys.ACCESS_GENERATION)
            records = self.all()
            written = edit(records)
            changes = [(record.id, _encode(record), f"{record.id} {record.name}") for record in written]
            arguments = [generation or "", _encode(_to_forget(records, written)), _encode(changes), self._actor, action]
            is_written = bool(self._redis.eval(_WRITE, len(_KEYS), *_KEYS, *arguments, audit.MAX_ENTRIES, audit.LIFE_S))
        self._wait_until_on_disk()
        return written

    def _wait_until_on_disk(self) -> None:
        """A revocation must outlive a power cut. A store that keeps no such file, or is too old, is left alone."""
        try:
            self._redis.waitaof(num_local=1, num_replicas=0, timeout=_FSYNC_WAIT_MS)
        except ResponseError:
            return


def _named(records: list[KeyRecord], name: str, now: float) -> KeyRecord | None:
    valid = (record for record in records if record.is_valid(now))
    return next((record for record in valid if name in {record.name, record.id}), None)


def _to_forget(records: list[KeyRecord], written: list[KeyRecord]) -> list[str]:
    """Ids of ended keys to make room.

    Raises:
        ConflictError: all keys are valid.
    """
    known = {record.id for record in records}
    excess = len(known | {record.id for record in written}) - MAX_KEYS
    ended = [record.id for record in records if not record.is_valid(time.time())]
    if excess > len(ended):
        raise ConflictError(f"{MAX_KEYS:,} valid keys are the most; revoke one first", code="too_many_keys")
    return ended[: max(0, excess)]


def _secret(secret: str) -> Secret:
    return Secret(digest_of(secret), secret[:HINT_CHARS])


def _encode(value: object) -> str:
    return msgspec.json.encode(value).decode()
