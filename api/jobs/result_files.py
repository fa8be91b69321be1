"""Results as xlsx or parquet, which have an index at their end: another process writes them from spooled rows."""

import asyncio
import errno
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import msgspec

from api.http.caller import Caller, Presence, current_caller
from api.http.file_turn import FileTurn
from api.jobs.file_writer import DISK_FULL, FileHead
from api.jobs.names import prefix_for, unique
from api.jobs.optional_columns import optional_cells, optional_columns
from api.jobs.rendering import Numbered, Table, our_columns
from api.jobs.results import CLEAN, ResultStream, Selection
from api.jobs.service import JobService
from api.jobs.temporary_file import TemporaryFileResponse
from api.uploads import confined
from api.uploads.extracted import require_library
from shared.errors import MalformedRequestError, StoreUnavailableError, TooLargeError
from shared.jobs.records import Job
from shared.verdict import Failure, Outcome

MEDIA_TYPES = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
}
# Written at once, each for up to minutes by a process of its own.
FILES_AT_ONCE = 2
_TURNS = FileTurn(FILES_AT_ONCE)
_encode = msgspec.json.Encoder().encode


async def file_response(
    jobs: JobService, job: Job, kind: str, selection: Selection, headers: dict[str, str]
) -> TemporaryFileResponse:
    """The whole file, with Range support, since it lies on disk.

    Raises:
        UnsupportedMediaError: the library is not installed.
        TooLargeError: the rows need more memory or time to write than is allowed.
    """
    require_library(kind)
    caller = current_caller()
    with tempfile.NamedTemporaryFile(prefix="kobert-results-", suffix=f".{kind}", delete=False) as file:
        path = Path(file.name)
    try:
        # Unnamed, so that it is gone with the process whatever happens.
        with tempfile.TemporaryFile(prefix="kobert-rows-") as spool:
            rows = RowSpool(job, spool)
            # The pieces are empty: rows are spooled as they are rendered.
            async for _ in ResultStream(jobs, job, rows, selection).pieces():
                jobs.require_valid(job.owner)
                _require(caller.presence)
            await jobs.run_file(rows.write_file, kind, path, caller)
    except BaseException:
        await asyncio.to_thread(path.unlink)
        raise
    headers.pop("Accept-Ranges", None)
    return TemporaryFileResponse(path, media_type=MEDIA_TYPES[kind], headers=headers)


class RowSpool:
    """A renderer that writes rows to `spool`, one JSON array a line: the user's cells as they were sent, then ours."""

    media_type = "application/jsonl"

    def __init__(self, job: Job, spool: IO[bytes]) -> None:
        self._cells = Table(job, ",", is_safe=False).raw_cells
        theirs = unique(job.spec.columns or ["text"])
        ours = our_columns(job)
        self._optional = optional_columns(job)
        prefix = prefix_for(ours, theirs)
        self._label_names = job.label_names
        self._spool = spool
        is_moderation = CLEAN in job.label_names or CLEAN in job.label_counts
        head = FileHead(
            theirs=theirs,
            ours=[prefix + name for name in ours],
            types=job.spec.column_types or [],
            text_at=job.spec.text_at if job.spec.column_types is not None else -1,
            optional=len(self._optional),
            harmless=CLEAN if is_moderation else None,
        )
        spool.write(_encode(head) + b"\n")

    def head(self) -> bytes:
        """Nothing: the rows are written elsewhere."""
        return b""

    def lines(self, rows: Iterable[Numbered]) -> bytes:
        """Spools the rows; returns nothing."""
        for _, row, outcome in rows:
            self._spool.write(_encode([*self._cells(row), *self._verdict(outcome)]) + b"\n")
        return b""

    def write_file(self, kind: str, path: Path, caller: Caller) -> None:
        """Wait for the caller's turn and make the file at `path`, unless the client leaves meanwhile.

        Raises:
            OSError: there is no room on disk.
            TooLargeError: it needs more memory or time than is allowed.
            MalformedRequestError: the client left.
        """
        with _TURNS.taken_by(caller):
            _require(caller.presence)
            self._write(kind, path, caller.presence)

    def _write(self, kind: str, path: Path, client: Presence) -> None:
        self._spool.seek(0)
        process = confined.start("api.jobs.file_writer", kind, str(path), stdin=self._spool)
        client.watch(process.kill)
        if client.is_lost:
            process.kill()
        said = process.stdout.read() if process.stdout is not None else b""
        code = process.wait()
        client.forget(process.kill)
        confined.end(process)
        _require(client)
        if said.strip() == DISK_FULL:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if code < 0 or said.strip() == b"memory":
            raise TooLargeError(f"the results are too large for {kind}; take csv or jsonl, or a part with limit=")
        if code:
            raise StoreUnavailableError(f"the {kind} file could not be written; csv and jsonl need nothing")

    def _verdict(self, outcome: Outcome) -> list[object]:
        if isinstance(outcome, Failure):
            empty = [None] * (3 + len(self._label_names))
            return [*empty, f"{outcome.code}: {outcome.message}", *[None] * len(self._optional)]
        # By name: a policy's own labels have scores and no column, and a chunk of another model has other labels.
        scores = [outcome.scores.get(name) for name in self._label_names]
        verdict = [outcome.classification, outcome.confidence, outcome.labels, *scores, None]
        return [*verdict, *optional_cells(outcome, self._optional)]


def _require(client: Presence) -> None:
    """Check that somebody waits for the file."""
    if client.is_lost:
        raise MalformedRequestError("the client left before its file was written")
