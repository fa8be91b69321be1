"""Streams a job's results in input order, one chunk in memory at a time."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from api.jobs.rendering import Numbered, Renderer
from api.jobs.service import JobService
from shared.errors import StoreUnavailableError
from shared.jobs.packing import unpack_result
from shared.jobs.records import Job
from shared.verdict import Failure


@dataclass(frozen=True)
class Selection:
    """Which rows: those after number `cursor`, `limit` at most, perhaps `only_errors`."""

    cursor: int = 0
    limit: int | None = None
    only_errors: bool = False


class ResultStream:
    """The bytes of one result file."""

    def __init__(self, jobs: JobService, job: Job, renderer: Renderer, selection: Selection) -> None:
        self._jobs = jobs
        self._job = job
        self._renderer = renderer
        self._selection = selection
        self._left = selection.limit

    async def pieces(self) -> AsyncIterator[bytes]:
        """One piece a chunk that has selected rows.

        Raises:
            StoreUnavailableError: the store or the job went away; the connection ends without its end mark, so that
                the client sees that the file is not whole.
        """
        head = self._renderer.head()
        if self._selection.cursor == 0 and head:
            yield head
        for first_row in await self._starts():
            if self._left == 0:
                return
            packed = await self._jobs.result_chunk(self._job.id, first_row)
            if packed is None:
                raise StoreUnavailableError("the job was deleted or has expired")
            piece = await self._jobs.run(self._render, first_row, packed)
            if piece:
                yield piece

    async def _starts(self) -> list[int]:
        """Chunks from the one on that holds the first wanted row."""
        starts = await self._jobs.result_starts(self._job.id)
        before = [start for start in starts if start <= self._selection.cursor]
        return starts[max(0, len(before) - 1) :]

    def _render(self, first_row: int, packed: bytes) -> bytes:
        rows = list(self._selected(first_row, packed))
        return self._renderer.lines(rows) if rows else b""

    def _selected(self, first_row: int, packed: bytes) -> Iterator[Numbered]:
        rows, verdicts = unpack_result(packed)
        for number, (row, outcome) in enumerate(zip(rows, verdicts.outcomes, strict=True), start=first_row + 1):
            if number <= self._selection.cursor or self._left == 0:
                continue
            if self._selection.only_errors and not isinstance(outcome, Failure):
                continue
            if self._left is not None:
                self._left -= 1
            yield number, row, outcome
