"""Corrections in Redis: added, withdrawn and listed by the API, followed by the workers.

Every change has a version, one higher than the last, so that a worker asks for what is newer than what it has.
"""

import hashlib
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import msgspec
from redis import Redis

from shared import keys
from shared.corrections.records import Correction, NewCorrection, correction_id, number_of
from shared.lua_script import ALLOW_FULL, run_script, scripts_of

# Withdrawn ids that are kept for workers that were away; a worker further behind reads all corrections again.
WITHDRAWN_KEPT = 1_000
PAGE = 500
_SCRIPTS = scripts_of("shared.corrections")
_RECORD = msgspec.json.Decoder(NewCorrection)

# Of all corrections, and of those of one key where keys share them.
Limit = Literal["count", "bytes", "own_count", "own_bytes"]


@dataclass(frozen=True)
class Bounds:
    """How many corrections there may be, and how many bytes; with several keys, one has no more than it leaves."""

    count: int
    bytes: int
    is_shared: bool = False


@dataclass(frozen=True)
class Added:
    """A correction as it was stored; `is_new` is False where it replaced one of the same text and policy."""

    correction: Correction
    is_new: bool


@dataclass(frozen=True)
class Position:
    """How far a reader has come; a store that was emptied or replaced has another epoch."""

    epoch: str = ""
    version: int = 0


@dataclass(frozen=True)
class Changes:
    """Corrections added or replaced, oldest first, and numbers of those withdrawn, after some version.

    `forgotten` is the version up to which withdrawals are no longer listed.
    """

    reached: Position
    changed: list[Correction]
    withdrawn: list[int]
    forgotten: int


class CorrectionStore:
    """Thread-safe and blocking. Every method raises `redis.RedisError` when Redis does not answer."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def add(self, new: Sequence[NewCorrection], bounds: Bounds) -> list[Added | Limit]:
        """Store each, all of one key, replacing an earlier one for the same text and policy.

        Returns the limit that a correction exceeds.
        """
        key_id = new[0].created_by
        arguments: list[Any] = [bounds.count, bounds.bytes, secrets.token_hex(8), key_id, int(bounds.is_shared)]
        for record in new:
            arguments += [_digest(record), msgspec.json.encode(record)]
        names = [
            keys.CORRECTIONS,
            keys.CORRECTIONS_BY_TEXT,
            keys.CORRECTIONS_VERSIONS,
            keys.CORRECTIONS_STATE,
            keys.CORRECTIONS_OF,
        ]
        replies = run_script(self._redis, "#!lua\n" + _SCRIPTS["tally"] + _SCRIPTS["add"], names, arguments)
        return [_added(reply, record) for reply, record in zip(replies, new, strict=True)]

    def get(self, wanted: str) -> Correction | None:
        """One correction by its id."""
        number = number_of(wanted)
        return None if number is None else next(iter(self._get([number])), None)

    def remove(self, correction: Correction) -> bool:
        """Withdraw it; False if that was done already."""
        names = [
            keys.CORRECTIONS,
            keys.CORRECTIONS_BY_TEXT,
            keys.CORRECTIONS_VERSIONS,
            keys.CORRECTIONS_STATE,
            keys.CORRECTIONS_WITHDRAWN,
            keys.CORRECTIONS_OF,
        ]
        arguments = [correction.number, _digest(correction.record), WITHDRAWN_KEPT]
        source = ALLOW_FULL + _SCRIPTS["tally"] + _SCRIPTS["remove"]
        return bool(run_script(self._redis, source, names, arguments))

    def count(self) -> int:
        """How many there are."""
        return int(self._redis.zcard(keys.CORRECTIONS_VERSIONS))

    def page(self, limit: int, before: Correction | None = None) -> list[Correction]:
        """Up to `limit`, the last changed first, those changed before `before`."""
        highest = "+inf" if before is None else f"({before.version}"
        found: Any = self._redis.zrevrangebyscore(keys.CORRECTIONS_VERSIONS, highest, "-inf", start=0, num=limit)
        return self._get([int(number) for number in found])

    def position(self) -> Position:
        """The version of the last change."""
        state: Any = self._redis.hmget(keys.CORRECTIONS_STATE, ["epoch", "version"])
        epoch, version = state
        return Position((epoch or b"").decode(), int(version or 0))

    def changes(self, after: int = 0, limit: int = PAGE) -> Changes:
        """What changed after a version; at most `limit` corrections."""
        names = [keys.CORRECTIONS, keys.CORRECTIONS_VERSIONS, keys.CORRECTIONS_STATE, keys.CORRECTIONS_WITHDRAWN]
        epoch, forgotten, reached, changed, withdrawn = run_script(
            self._redis, _SCRIPTS["changes"], names, [after, limit]
        )
        triples = zip(changed[::3], changed[1::3], changed[2::3], strict=True)
        return Changes(
            Position(epoch.decode(), reached),
            [_read(number, version, raw) for number, version, raw in triples],
            [int(number) for number in withdrawn],
            forgotten,
        )

    def all(self) -> Iterator[list[Correction]]:
        """Every correction in pages, the last changed last."""
        version = 0
        while (changes := self.changes(version)).changed:
            yield changes.changed
            version = changes.reached.version

    def _get(self, numbers: Sequence[int]) -> list[Correction]:
        """Those that there are, in this order."""
        if not numbers:
            return []
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hmget(keys.CORRECTIONS, list(map(str, numbers)))
            pipeline.zmscore(keys.CORRECTIONS_VERSIONS, list(map(str, numbers)))
            raws, versions = pipeline.execute()
        return [
            _read(number, int(version), raw)
            for number, version, raw in zip(numbers, versions, raws, strict=True)
            if raw is not None and version is not None
        ]


def _digest(record: NewCorrection) -> bytes:
    """Two corrections with the same digest are for the same text, as sent, and the same policy."""
    return hashlib.sha256(f"{record.policy or ''}\0{record.text}".encode()).digest()[:16]


def _added(reply: Any, record: NewCorrection) -> Added | Limit:  # noqa: ANN401  the script's
    if isinstance(reply, bytes):
        return cast("Limit", reply.decode())
    number, version, is_new = reply
    return Added(Correction(id=correction_id(number), version=version, record=record), bool(is_new))


def _read(number: int, version: int, raw: bytes) -> Correction:
    return Correction(id=correction_id(number), version=version, record=_RECORD.decode(raw))
