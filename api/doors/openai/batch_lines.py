"""The lines of a batch: from OpenAI's requests to the rows of a job, and from its verdicts to OpenAI's replies."""

import codecs
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal

import msgspec

from api.doors.openai.categories import show_result
from api.doors.openai.moderations import show_reply
from api.doors.openai.packing import unpacked
from api.http import errors
from api.jobs.rendering import Numbered
from api.uploads.decoding import split_lines
from api.uploads.pull import BodyPull
from shared.jobs.records import Job, Row
from shared.verdict import Failure, Outcome

ENDPOINT = "/v1/moderations"
# OpenAI's limit of a batch, and how many faults it lists.
MAX_LINES = 50_000
MAX_FAULTS = 100
# Rows that are given to the job together.
LINES_AT_ONCE = 200
# What a job made of a batch calls its columns.
ID_COLUMN, TEXT_COLUMN = "custom_id", "text"
_encode = msgspec.json.Encoder().encode


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    input: Any = None
    model: str | None = None


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    custom_id: str
    url: str
    body: _Body
    method: Literal["POST"] = "POST"


_LINE = msgspec.json.Decoder(_Line)


@dataclass
class BatchInput:
    """How many lines an input file has, and what is wrong with them (OpenAI's batch errors).

    `usable` is how many of the lines have a text at all; a job needs one.
    """

    lines: int = 0
    faults: list[dict[str, Any]] = field(default_factory=list)
    usable: int = 0


def check_lines(parts: Iterable[bytes], models: frozenset[str]) -> BatchInput:
    """Check the lines of a packed input file; `models` are the names that a request may have.

    Nothing is kept of a line but a hash of its name: the rows of the job are made as its file is read again.
    """
    found = BatchInput()
    known: set[bytes] = set()
    for number, raw in _numbered(unpacked(parts)):
        try:
            line = _LINE.decode(raw)
            _check(line, known, models)
            text = _one_text(line.body.input)
            found.lines += 1
            found.usable += isinstance(text, str) and bool(text.strip())
        except (msgspec.DecodeError, UnicodeError) as error:
            found.faults.append(fault("invalid_json_line", str(error), number))
        except _FaultyLineError as error:
            found.faults.append(fault(error.code, str(error), number))
        if found.lines > MAX_LINES or len(found.faults) >= MAX_FAULTS:
            break
    if found.lines > MAX_LINES:
        found.faults.append(fault("too_many_tasks", f"a batch takes {MAX_LINES:,} lines; split the file", None))
    if not found.lines and not found.faults:
        found.faults.append(fault("empty_file", "the file has no lines", None))
    return found


class BatchRows(BodyPull):
    """The body of the job that a batch becomes, as jsonl: made of the lines of its packed input file as they come."""

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for lines in _several(raw for _, raw in _numbered(unpacked(super().__iter__()))):
            rows = b"".join(map(_row, lines))
            size += len(rows)
            yield rows
        # As the job shows it.
        self.received_bytes = size


class BatchLines:
    """Renders a job's rows as the lines of an output file, or of an error file."""

    media_type = "application/jsonl; charset=utf-8"

    def __init__(self, job: Job, model: str, clean: str | None, *, is_errors: bool) -> None:
        self._job_number = job.id.removeprefix("job_")
        self._model = model
        self._clean = clean
        self._is_errors = is_errors

    def head(self) -> bytes:
        """Nothing: every line says what it is."""
        return b""

    def lines(self, rows: Iterable[Numbered]) -> bytes:
        """One line for each row with a verdict, or for each without."""
        return b"".join(
            _encode(self._show(number, row, outcome)) + b"\n"
            for number, row, outcome in rows
            if isinstance(outcome, Failure) == self._is_errors
        )

    def _show(self, number: int, row: Row, outcome: Outcome) -> dict[str, Any]:
        name = f"{self._job_number}_{number}"
        status, body = self._reply(name, outcome)
        return {
            "id": f"batch_req_{name}",
            "custom_id": msgspec.json.decode(row.fields)[ID_COLUMN],
            "response": {"status_code": status, "request_id": f"req_{name}", "body": body},
            "error": None,
        }

    def _reply(self, name: str, outcome: Outcome) -> tuple[int, dict[str, Any]]:
        if not isinstance(outcome, Failure):
            return 200, show_reply(name, self._model, [show_result([outcome], self._clean)])
        error = errors.from_worker(outcome, "input")
        status = 400 if errors.status_of(error) == 422 else errors.status_of(error)
        shown = {"message": error.message, "type": errors.type_of(status), "param": "input", "code": error.code}
        return status, {"error": shown}


class _FaultyLineError(Exception):
    """Raised when a line is not a valid batch request."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def _numbered(pieces: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    for number, raw in enumerate(split_lines(iter(pieces), ends_at_cr=True), start=1):
        line = raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw
        if line.strip():
            yield number, line


def _several(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    while several := list(islice(lines, LINES_AT_ONCE)):
        yield several


def _row(raw: bytes) -> bytes:
    """A line that was checked, as a row of the job."""
    line = _LINE.decode(raw)
    return _encode({ID_COLUMN: line.custom_id, TEXT_COLUMN: _one_text(line.body.input)}) + b"\n"


def _check(line: _Line, known: set[bytes], models: frozenset[str]) -> None:
    """Check a line; `known` has the names of those before, and gets this one's."""
    if not line.custom_id:
        raise _FaultyLineError("missing_required_parameter", "custom_id is empty")
    name = hashlib.blake2b(line.custom_id.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    if name in known:
        raise _FaultyLineError("duplicate_custom_id", f"custom_id {line.custom_id[:60]!r} is on an earlier line too")
    if line.url != ENDPOINT:
        raise _FaultyLineError("invalid_url", f"url must be {ENDPOINT}, not {line.url[:60]!r}")
    if line.body.model is not None and line.body.model not in models:
        raise _FaultyLineError("model_not_found", f"the model {line.body.model[:60]!r} does not exist")
    known.add(name)


def _one_text(given: object) -> object:
    """The one text of an input. What is no text becomes a line of the error file."""
    if not isinstance(given, list):
        return given
    if len(given) != 1:
        raise _FaultyLineError("invalid_input", f"input has {len(given)} elements; send one text a line")
    (element,) = given
    is_part = isinstance(element, dict) and element.get("type") == "text"
    return element.get("text") if is_part else element


def fault(code: str, message: str, line: int | None) -> dict[str, Any]:
    """One of OpenAI's batch errors; `line` is None where the whole file is at fault."""
    return {"code": code, "message": message, "param": None, "line": line}
