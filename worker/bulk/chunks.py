"""Processes one leased chunk of a bulk job: classifies its rows, or isolates the row that kills workers.

A chunk that an earlier worker did not finish is first read in a process of its own (`worker.quarantine`), which finds
the row. Where that finds none and workers go on dying, the chunk is halved.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import structlog
from redis.exceptions import RedisError

from shared.errors import PredictionFailedError, StoreUnavailableError
from shared.jobs import journal
from shared.jobs.ledger import Ledger
from shared.jobs.packing import unpack_rows
from shared.jobs.records import Lease, Row, Verdicts
from shared.log import get_logger
from shared.options import NO_OPTIONS, VerdictOptions
from shared.settings import Settings
from shared.store_errors import is_passing
from shared.verdict import Failure, Outcome
from worker.inference.classifier import Classifier
from worker.quarantine.suspects import Suspects

log = get_logger(__name__)

# Attempts for a row that is alone in its chunk, before it is given up because its worker died each time.
LAST_TRIES = 2
# Characters tokenised and queued at a time. Bounds memory for texts of any length, and the time for which the
# tokenizer's threads keep all processors from an interactive text.
SLICE_CHARS = 2_048
STORE_RETRY_S = 0.5

OnStored = Callable[[Sequence[Outcome]], None]
# What waits for the outcomes of texts that were brought to the model, or why they could not be.
_Begun = Callable[[], list[Outcome]] | Exception


class ChunkWorker:
    """Thread-safe. `is_stopping` ends a chunk early; `on_stored` is called with the outcomes that were stored."""

    def __init__(
        self,
        ledger: Ledger,
        classifier: Classifier,
        settings: Settings,
        is_stopping: Callable[[], bool],
        on_stored: OnStored,
    ) -> None:
        # None: a chunk that was started before is not looked at first. Whoever wants it sets it before the first chunk.
        self.suspects: Suspects | None = None
        self._ledger = ledger
        self._classifier = classifier
        self._attempts = settings.job_attempts
        self._is_stopping = is_stopping
        self._on_stored = on_stored

    def do(self, lease: Lease) -> None:
        """Store the chunk's verdicts, replace it by its halves, or release it.

        Raises:
            RedisError: Redis does not answer; the lease will run out.
        """
        with structlog.contextvars.bound_contextvars(job_id=lease.job_id):
            self._do(lease, unpack_rows(lease.packed_rows))

    def _do(self, lease: Lease, rows: list[Row]) -> None:
        if lease.attempt > self._attempts:
            self._halve_or_give_up(lease, rows)
            return
        options = lease.options or NO_OPTIONS
        deadly = self._find_deadly(lease, rows, options)
        outcomes = None if deadly is None else self._judge_rows(rows, options, deadly)
        if outcomes is None:
            self._ledger.release(lease)
        else:
            self._complete(lease, rows, outcomes)

    def _find_deadly(self, lease: Lease, rows: list[Row], options: VerdictOptions) -> dict[int, Failure] | None:
        """Failures of the rows that end the process that reads them, by place; None when the worker is stopping."""
        if self.suspects is None or (lease.attempt == 1 and not self.suspects.known.are_known):
            return {}
        texts = [(place, row.text, options) for place, row in enumerate(rows) if not row.error and row.text is not None]
        if lease.attempt == 1:
            return self.suspects.find_known(texts)
        deadly = self.suspects.find_deadly(texts, self._is_stopping)
        for place in deadly or {}:
            journal.note_given_up(lease.job_id, lease.first_row + place + 1, lease.attempt)
        return deadly

    def _halve_or_give_up(self, lease: Lease, rows: list[Row]) -> None:
        """Every attempt ended with the worker's death: halve the chunk, or name the one row that is left."""
        if len(rows) == 1:
            journal.note_given_up(lease.job_id, lease.first_row + 1, lease.attempt - 1)
            message = f"the worker died each time it was working on this row ({lease.attempt - 1} attempts)"
            self._complete(lease, rows, [Failure(PredictionFailedError.code, message)])
            return
        journal.note_halved(lease.job_id, lease.first_row, len(rows))
        tries = LAST_TRIES if len(rows) <= 2 else 1
        self._ledger.split(lease, rows, max(0, self._attempts - tries))

    def _complete(self, lease: Lease, rows: list[Row], outcomes: list[Outcome]) -> None:
        self._classifier.batcher.give_way()
        info = self._classifier.info
        verdicts = Verdicts(info.labels, info.revision, outcomes)
        while True:
            try:
                is_stored = self._ledger.complete(lease, rows, verdicts)
            except RedisError as error:
                # Storing is idempotent: retry it instead of classifying again.
                if self._is_stopping() or not is_passing(error):
                    raise
                time.sleep(STORE_RETRY_S)
            else:
                break
        if is_stored:
            self._on_stored(outcomes)
        else:
            log.info("lease_lost", first_row=lease.first_row)

    def _judge_rows(
        self, rows: list[Row], options: VerdictOptions, failed: Mapping[int, Failure]
    ) -> list[Outcome] | None:
        """An outcome for each row, or None when the worker is stopping or lacks what the store has."""
        outcomes: list[Outcome | None] = [row.error or failed.get(place) for place, row in enumerate(rows)]
        wanted = [index for index, outcome in enumerate(outcomes) if outcome is None]
        for indices, found in self._outcomes_of(_slices(wanted, rows), rows, options):
            for index, outcome in zip(indices, found, strict=True):
                outcomes[index] = outcome
            if self._is_stopping() or any(map(_is_stores_fault, found)):
                # The model may have stopped already, or the rules of a policy could not be read: not the text's fault.
                return None
        return outcomes  # type: ignore[return-value]  # each index was either refused or wanted

    def _outcomes_of(
        self, slices: Iterable[list[int]], rows: Sequence[Row], options: VerdictOptions
    ) -> Iterator[tuple[list[int], list[Outcome]]]:
        """The slices with their outcomes. Each goes to the model before the one ahead of it is waited for.

        So the model threads always have texts to choose from, and none is idle while this thread tokenises.
        """
        ahead: tuple[list[int], list[str], _Begun] | None = None
        for indices in slices:
            texts = [rows[index].text or "" for index in indices]
            begun = self._begin(texts, options)
            if ahead is not None:
                yield ahead[0], self._end(*ahead[1:], options)
            ahead = indices, texts, begun
        if ahead is not None:
            yield ahead[0], self._end(*ahead[1:], options)

    def _begin(self, texts: Sequence[str], options: VerdictOptions) -> _Begun:
        try:
            return self._classifier.begin_in_order(texts, options)
        except Exception as error:  # noqa: BLE001  whatever a tokenizer raises must end as a named error of its text
            return error

    def _end(self, texts: Sequence[str], begun: _Begun, options: VerdictOptions) -> list[Outcome]:
        if not isinstance(begun, Exception):
            try:
                return begun()
            except Exception as error:  # noqa: BLE001  as above
                begun = error
        log.warning("slice_failed", rows=len(texts), error_type=type(begun).__name__)
        if len(texts) > 1:
            return [self._end([text], self._begin([text], options), options)[0] for text in texts]
        message = f"the model failed on this text ({type(begun).__name__})"
        return [Failure(PredictionFailedError.code, message)]


def _is_stores_fault(outcome: Outcome | None) -> bool:
    return isinstance(outcome, Failure) and outcome.code == StoreUnavailableError.code


def _slices(indices: Sequence[int], rows: Sequence[Row]) -> Iterator[list[int]]:
    """Split `indices` into groups whose texts have about `SLICE_CHARS` characters together."""
    current: list[int] = []
    chars = 0
    for index in indices:
        current.append(index)
        chars += len(rows[index].text or "")
        if chars >= SLICE_CHARS:
            yield current
            current, chars = [], 0
    if current:
        yield current
