"""Streams a job's results in input order, one chunk in memory at a time."""

from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from api.jobs.rendering import Numbered, Renderer
from api.jobs.service import JobService
from shared.errors import StoreUnavailableError
from shared.jobs.packing import PackedResult, StoredFailure, StoredOutcome
from shared.jobs.records import Job, Row
from shared.verdict import Failure, Outcome

# The classification of a text that nobody needs to look at.
CLEAN = "clean"


@dataclass(frozen=True)
class Selection:
    """Which rows: those after number `cursor` and before number `before` that every filter lets pass, `limit` at most.

    With `is_last` these are the last ones, else the first; their order is that of the input.
    `only` is `errors`, `flagged` (a verdict other than clean) or None; `label` must be among the labels of the verdict;
    `contains` must stand in the text, whatever its case; the confidence must lie from `min_confidence` to
    `max_confidence`.
    """

    cursor: int = 0
    limit: int | None = None
    only: str | None = None
    label: str | None = None
    contains: str = ""
    min_confidence: float = 0.0
    max_confidence: float = 1.0
    before: int | None = None
    is_last: bool = False

    def takes(self, row: Row, outcome: Outcome) -> bool:
        """Whether the filters let this row pass."""
        return self.takes_text(row) and self.takes_outcome(outcome)

    def takes_text(self, row: Row) -> bool:
        """Whether the filter of the text lets this row pass."""
        return not self.contains or self.contains.casefold() in (row.text or "").casefold()

    def takes_outcome(self, outcome: Outcome | StoredOutcome) -> bool:
        """Whether the filters of the verdict let this pass."""
        if isinstance(outcome, Failure | StoredFailure):
            return self.only != "flagged" and self.label is None and not self._asks_confidence
        if self.only is not None and (self.only == "errors" or outcome.classification == CLEAN):
            return False
        if self.label is not None and self.label not in outcome.labels:
            return False
        return self.min_confidence <= outcome.confidence <= self.max_confidence

    @property
    def _asks_confidence(self) -> bool:
        return self.min_confidence > 0 or self.max_confidence < 1


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
        pieces = self._last_pieces() if self._selection.is_last else self._first_pieces()
        async for piece in pieces:
            yield piece

    async def _first_pieces(self) -> AsyncIterator[bytes]:
        for first_row in await self._starts():
            if self._left == 0:
                return
            if piece := await self._jobs.run(self._first_piece, first_row, await self._chunk(first_row)):
                yield piece

    async def _last_pieces(self) -> AsyncIterator[bytes]:
        """From the end backwards until there are enough, which the caller has bounded: they are held in memory."""
        found: list[Numbered] = []
        limit = self._selection.limit or 0
        for first_row in reversed(await self._starts()):
            found = await self._jobs.run(self._selected, first_row, await self._chunk(first_row)) + found
            if len(found) >= limit:
                break
        if piece := await self._jobs.run(self._render, found[-limit:]):
            yield piece

    async def _chunk(self, first_row: int) -> bytes:
        packed = await self._jobs.result_chunk(self._job.id, first_row)
        if packed is None:
            raise StoreUnavailableError("the job was deleted or has expired")
        return packed

    async def _starts(self) -> list[int]:
        """Chunks that may hold wanted rows, in their order."""
        starts = await self._jobs.result_starts(self._job.id)
        low = max(0, bisect_right(starts, self._selection.cursor) - 1)
        high = None if self._selection.before is None else bisect_left(starts, self._selection.before - 1)
        return starts[low:high]

    def _first_piece(self, first_row: int, packed: bytes) -> bytes:
        rows = self._selected(first_row, packed)[: self._left]
        if self._left is not None:
            self._left -= len(rows)
        return self._render(rows)

    def _render(self, rows: Sequence[Numbered]) -> bytes:
        return self._renderer.lines(rows) if rows else b""

    def _selected(self, first_row: int, packed: bytes) -> list[Numbered]:
        selection, result = self._selection, PackedResult(packed)
        if selection.contains and not result.may_hold(selection.contains):
            return []
        # Places in the chunk: from the first row after the cursor to the last one before the end.
        low = max(0, selection.cursor - first_row)
        high = None if selection.before is None else max(0, selection.before - 1 - first_row)
        places = [
            place for place in range(len(result.stored))[low:high] if selection.takes_outcome(result.stored[place])
        ]
        return [
            (first_row + place + 1, result.rows[place], result.outcome(place))
            for place in places
            if selection.takes_text(result.rows[place])
        ]
