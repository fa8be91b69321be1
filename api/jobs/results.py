"""Streams a job's results in input order, one chunk in memory at a time."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from api.jobs.desk import JobDesk
from api.jobs.rendering import Numbered, Renderer
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

    def __init__(self, desk: JobDesk, job: Job, renderer: Renderer, selection: Selection) -> None:
        self._desk = desk
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
            piece = await self._desk.run(self._render, first_row)
            if piece:
                yield piece

    async def _starts(self) -> list[int]:
        """Chunks from the one on that holds the first wanted row."""
        starts = list(await self._desk.run(self._desk.catalogue.result_starts, self._job.id))
        before = [start for start in starts if start <= self._selection.cursor]
        return starts[max(0, len(before) - 1) :]

    def _render(self, first_row: int) -> bytes:
        packed = self._desk.catalogue.result(self._job.id, first_row)
        if packed is None:
            raise StoreUnavailableError("the job was deleted or has expired")
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
