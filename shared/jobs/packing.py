"""Packs rows and verdicts for the store as compressed JSON. A result holds the verdicts, then their rows.

Compression level 1 is three times as fast on comments as level 6, and 10% larger (`bench/pack_rows.py`).
"""

import re
import struct
import zlib
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import msgspec

from shared.jobs.records import Row, Verdicts
from shared.verdict import EXTRA_FIELDS, Failure, Outcome, Verdict

LEVEL = 1
_LENGTH = struct.Struct(">I")
_ROWS = msgspec.json.Decoder(list[Row])
_ENCODER = msgspec.json.Encoder()
_PLAIN = re.compile(r"[가-힣ㄱ-ㅎㅏ-ㅣ0-9 .,!?~-]+")


class StoredVerdict(msgspec.Struct, array_like=True, tag="v"):
    """A `Verdict` whose scores are in the order of the chunk's label names: half the size, also when deflated.

    `extra` has what the job asked for besides, by the field's name in the verdict.
    """

    classification: str
    confidence: float
    labels: list[str]
    scores: list[float]
    windows: int = 1
    extra: dict[str, Any] | None = None


class StoredFailure(msgspec.Struct, array_like=True, tag="e"):
    """A `Failure`."""

    code: str
    message: str


StoredOutcome = StoredVerdict | StoredFailure


class _PackedVerdicts(msgspec.Struct):
    label_names: list[str]
    revision: str
    outcomes: list[StoredOutcome]


_VERDICTS = msgspec.json.Decoder(_PackedVerdicts)


def pack_rows(rows: list[Row]) -> bytes:
    """The input of one chunk.

    Raises:
        UnicodeEncodeError: a string holds half of a surrogate pair.
    """
    return zlib.compress(_ENCODER.encode(rows), LEVEL)


def unpack_rows(packed: bytes) -> list[Row]:
    """The inverse of `pack_rows`."""
    return _ROWS.decode(zlib.decompress(packed))


def pack_verdicts(verdicts: Verdicts) -> bytes:
    """The first part of a result, which says its own length; the ledger appends the rows."""
    names = verdicts.label_names
    packed = _PackedVerdicts(names, verdicts.revision, [_pack_outcome(outcome, names) for outcome in verdicts.outcomes])
    body = zlib.compress(_ENCODER.encode(packed), LEVEL)
    return _LENGTH.pack(len(body)) + body


class PackedResult:
    """A result of which as much is unpacked as is asked for: a filter that lets no row pass costs a fraction."""

    def __init__(self, packed: bytes) -> None:
        (length,) = _LENGTH.unpack_from(packed)
        self._verdicts = memoryview(packed)[_LENGTH.size : _LENGTH.size + length]
        self._packed_rows = memoryview(packed)[_LENGTH.size + length :]

    @cached_property
    def _raw_rows(self) -> bytes:
        return zlib.decompress(self._packed_rows)

    @cached_property
    def _stored(self) -> _PackedVerdicts:
        return _VERDICTS.decode(zlib.decompress(self._verdicts))

    @cached_property
    def rows(self) -> list[Row]:
        """All rows."""
        return _ROWS.decode(self._raw_rows)

    @property
    def stored(self) -> Sequence[StoredOutcome]:
        """What became of each row, in its short form."""
        return self._stored.outcomes

    def outcome(self, place: int) -> Outcome:
        """What became of the row at a place, from 0."""
        return _unpack_outcome(self._stored.outcomes[place], self._stored.label_names)

    def may_hold(self, words: str) -> bool:
        """False if these words, whatever their case, are surely in no text of the rows."""
        # Signs that have no case and stand in JSON as they are.
        return _PLAIN.fullmatch(words) is None or words.encode() in self._raw_rows

    def verdicts(self) -> Verdicts:
        """All outcomes, and which model spoke."""
        outcomes = [self.outcome(place) for place in range(len(self.stored))]
        return Verdicts(self._stored.label_names, self._stored.revision, outcomes)


def unpack_result(packed: bytes) -> tuple[list[Row], Verdicts]:
    """Rows and verdicts, in the same order."""
    result = PackedResult(packed)
    return result.rows, result.verdicts()


def _pack_outcome(outcome: Outcome, names: Sequence[str]) -> StoredOutcome:
    if isinstance(outcome, Failure):
        return StoredFailure(outcome.code, outcome.message)
    scores = [outcome.scores[name] for name in names]
    set_fields = {name: value for name in EXTRA_FIELDS if (value := getattr(outcome, name)) is not msgspec.UNSET}
    extra = set_fields or None
    return StoredVerdict(outcome.classification, outcome.confidence, outcome.labels, scores, outcome.windows, extra)


def _unpack_outcome(stored: StoredOutcome, names: Sequence[str]) -> Outcome:
    if isinstance(stored, StoredFailure):
        return Failure(stored.code, stored.message)
    # A label that the model does not have is that of a denied term, and certain.
    certain = dict.fromkeys((label for label in stored.labels if label not in names), 1.0)
    scores = {**certain, **dict(zip(names, stored.scores, strict=True))}
    verdict = Verdict(stored.classification, stored.confidence, scores, stored.labels, stored.windows)
    if stored.extra is None:
        return verdict
    return msgspec.convert({**msgspec.to_builtins(verdict), **stored.extra}, Verdict)
