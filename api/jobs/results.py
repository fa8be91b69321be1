"""Streams a job's results in input order, one chunk in memory at a time."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from api.jobs.rendering import Numbered, Renderer
from api.jobs.service import JobService
from shared.errors import StoreUnavailableError
from shared.jobs.packing import unpack_result
from shared.jobs.records import Job, Row
from shared.verdict import Failure, Outcome

# The classification of a text that nobody needs to look at.
CLEAN = "clean"


@dataclass(frozen=True)
class Selection:
    """Which rows: those after number `cursor`, `limit` at most, of these only those that every filter lets pass.

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

    def takes(self, row: Row, outcome: Outcome) -> bool:
        """Whether the filters let this row pass."""
        if self.contains and self.contains.casefold() not in (row.text or "").casefold():
            return False
        if isinstance(outcome, Failure):
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
            if not self._selection.takes(row, outcome):
                continue
            if self._left is not None:
                self._left -= 1
            yield number, row, outcome
