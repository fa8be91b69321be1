"""Hands texts to the queue and waits for their answers; one an API process.

Work-conserving, with no timer: with nothing being published a text leaves at once; while a message is being published,
texts collect, and leave together in the next one. So a lone text never waits for company, and under load one Celery
message carries many.
"""

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from api.background import end_task
from api.http.request_id import current_request_id
from shared.errors import DeadlineExceededError, KobertError, OverloadedError, StoreUnavailableError
from shared.log import get_logger
from shared.messages import Failure, Prediction, PredictMessage, TextItem
from shared.settings import Settings

log = get_logger(__name__)

Result = Prediction | Failure


class TextPublisher(Protocol):
    """Puts messages on the queue."""

    async def publish(self, message: PredictMessage) -> None:
        """Queue one message of texts; raises StoreUnavailableError when the queue does not take it."""


class WorkerFleet(Protocol):
    """What is known of the workers."""

    @property
    def texts_per_s(self) -> float:
        """Texts per second of all live workers together, while they compute."""

    def require_live_worker(self) -> None:
        """Raise StoreUnavailableError or NoWorkerError when nobody could answer."""


@dataclass(eq=False)
class _Pending:
    item: TextItem
    deadline: float
    request_id: str | None
    future: "asyncio.Future[Result]" = field(repr=False)


class Dispatcher:
    """Every text given to `classify` ends, before its deadline, as a result or as a named error."""

    def __init__(self, settings: Settings, process_id: str, publisher: TextPublisher, fleet: WorkerFleet) -> None:
        self._settings = settings
        self._process_id = process_id
        self._publisher = publisher
        self._fleet = fleet
        self._ids = itertools.count(1)
        self._pending: dict[int, _Pending] = {}
        self._outbox: deque[_Pending] = deque()
        self._work = asyncio.Event()
        self._sender: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start sending."""
        self._sender = asyncio.create_task(self._send_forever(), name="dispatcher")

    async def close(self) -> None:
        """Stop sending; what is pending fails as unavailable."""
        await end_task(self._sender)
        self._fail(list(self._pending.values()), StoreUnavailableError("the server is stopping"))

    @property
    def inflight_texts(self) -> int:
        """Texts accepted and not yet answered."""
        return len(self._pending)

    async def classify(self, texts: Sequence[str]) -> list[Result | KobertError]:
        """Results in the order of `texts`; a text without one by the deadline gets its error in its place.

        Raises:
            StoreUnavailableError, NoWorkerError: at once, when nobody could answer.
            OverloadedError: too much is in flight.
        """
        self._fleet.require_live_worker()
        self._check_room(len(texts))
        entries = [self._accept(text) for text in texts]
        try:
            await asyncio.wait([entry.future for entry in entries], timeout=self._settings.predict_timeout_s)
            return [self._outcome(entry) for entry in entries]
        finally:
            for entry in entries:
                self._pending.pop(entry.item.id, None)
                entry.future.cancel()

    def resolve(self, results: Sequence[Result]) -> None:
        """Take answers from the reply stream; those nobody waits for (late, or doubled by a redelivery) are dropped."""
        for result in results:
            entry = self._pending.get(result.id)
            if entry is not None and not entry.future.done():
                entry.future.set_result(result)

    def resend_pending(self) -> None:
        """Send every unanswered text again: a worker died, and nobody knows which texts it held.

        Celery would redeliver what the worker had acknowledged receipt of, later; what Redis handed it an instant
        before it died would be lost (kombu#305). An answer that comes twice is dropped by `resolve`.
        """
        waiting = set(map(id, self._outbox))
        unanswered = [e for e in self._pending.values() if not e.future.done() and id(e) not in waiting]
        if unanswered:
            log.warning("texts_resent", texts=len(unanswered))
            self._outbox.extend(unanswered)
            self._work.set()

    def _check_room(self, texts: int) -> None:
        # More than the workers can answer in time would only be accepted to time out.
        answerable = int(self._fleet.texts_per_s * self._settings.predict_timeout_s)
        limit = min(self._settings.max_inflight_texts, max(answerable, 1))
        if self._pending and len(self._pending) + texts > limit:
            raise OverloadedError(f"{len(self._pending):,} texts are already in flight; try again shortly")

    def _accept(self, text: str) -> _Pending:
        deadline = time.time() + self._settings.predict_timeout_s
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        entry = _Pending(TextItem(next(self._ids), text), deadline, current_request_id(), future)
        self._pending[entry.item.id] = entry
        self._outbox.append(entry)
        self._work.set()
        return entry

    def _outcome(self, entry: _Pending) -> Result | KobertError:
        if not entry.future.done():
            return DeadlineExceededError(f"no answer within {self._settings.predict_timeout_s:g} s (PREDICT_TIMEOUT_S)")
        error = entry.future.exception()
        if isinstance(error, KobertError):
            return error
        return entry.future.result()

    async def _send_forever(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            while batch := self._next_batch():
                await self._send(batch)

    def _next_batch(self) -> list[_Pending]:
        batch: list[_Pending] = []
        while self._outbox and len(batch) < self._settings.max_message_texts:
            entry = self._outbox.popleft()
            # A caller that timed out or left has cancelled its future.
            if not entry.future.done():
                batch.append(entry)
        return batch

    async def _send(self, batch: list[_Pending]) -> None:
        deadline = max(entry.deadline for entry in batch)
        message = PredictMessage(
            reply_to=self._process_id,
            deadline=deadline,
            items=[entry.item for entry in batch],
            request_ids=list(dict.fromkeys(entry.request_id for entry in batch if entry.request_id)),
        )
        try:
            await self._publisher.publish(message)
        except StoreUnavailableError as error:
            self._fail(batch, error)
        except Exception as error:
            # Whatever it was, these texts must end, and the next ones must be sent.
            log.exception("publish_failed", error_type=type(error).__name__)
            self._fail(batch, KobertError("the text could not be queued"))

    def _fail(self, entries: Sequence[_Pending], error: KobertError) -> None:
        for entry in entries:
            if not entry.future.done():
                entry.future.set_exception(error)
                # The exception is read by `_outcome`, or by nobody if the caller has left.
                entry.future.exception()
