"""Sends texts to the queue and waits for their answers. One per API process.

There is no timer. If no message is being published, a text is sent at once; while one is being published, texts collect
and are sent together in the next. So a single text never waits, and under load one Celery message carries many.
"""

import asyncio
import itertools
import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from api.background import end_task
from api.http.request_id import current_request_id
from shared.errors import DeadlineExceededError, KobertError, OverloadedError, StoreUnavailableError
from shared.log import get_logger
from shared.messages import Answer, PredictMessage, TextItem
from shared.options import VerdictOptions
from shared.settings import Settings

log = get_logger(__name__)


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
class _Unanswered:
    item: TextItem
    deadline: float
    request_id: str | None
    options: VerdictOptions | None
    future: "asyncio.Future[Answer]" = field(repr=False)


class Dispatcher:
    """Every text given to `ask_workers` ends, before its deadline, as a result or as a named error."""

    def __init__(self, settings: Settings, process_id: str, publisher: TextPublisher, fleet: WorkerFleet) -> None:
        self._settings = settings
        self._process_id = process_id
        self._publisher = publisher
        self._fleet = fleet
        self._ids = itertools.count(1)
        self._pending: dict[int, _Unanswered] = {}
        self._outbox: deque[_Unanswered] = deque()
        self._work = asyncio.Event()
        self._sender: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start sending."""
        self._sender = asyncio.create_task(self._send_forever(), name="dispatcher")

    async def close(self) -> None:
        """Stop sending; pending texts fail with `StoreUnavailableError`."""
        await end_task(self._sender)
        self._fail(list(self._pending.values()), StoreUnavailableError("the server is stopping"))

    @property
    def inflight_texts(self) -> int:
        """Texts accepted and not yet answered."""
        return len(self._pending)

    async def ask_workers(
        self, texts: Sequence[str], options: VerdictOptions | None = None
    ) -> list[Answer | KobertError]:
        """Answers in the order of `texts`; a text without one by the deadline gets its error in its place.

        Raises:
            StoreUnavailableError, NoWorkerError: no worker could answer.
            OverloadedError: too much is in flight.
        """
        self._fleet.require_live_worker()
        self._check_room(len(texts))
        entries = [self._accept(text, options) for text in texts]
        try:
            await asyncio.wait([entry.future for entry in entries], timeout=self._settings.predict_timeout_s)
            return [self._outcome(entry) for entry in entries]
        finally:
            for entry in entries:
                self._pending.pop(entry.item.id, None)
                entry.future.cancel()

    def resolve(self, answers: Sequence[Answer]) -> None:
        """Take answers from the reply stream; those nobody waits for (late, or doubled by a redelivery) are dropped."""
        for answer in answers:
            entry = self._pending.get(answer.id)
            if entry is not None and not entry.future.done():
                entry.future.set_result(answer)

    def resend_pending(self) -> None:
        """Send every unanswered text again: a worker died, and its texts are not known.

        Celery would redeliver most of them later, but loses a message that Redis delivered just before the worker died
        (kombu#305). `resolve` drops duplicate answers.
        """
        waiting = set(map(id, self._outbox))
        unanswered = [e for e in self._pending.values() if not e.future.done() and id(e) not in waiting]
        if unanswered:
            log.warning("texts_resent", texts=len(unanswered))
            self._outbox.extend(unanswered)
            self._work.set()

    def _check_room(self, texts: int) -> None:
        # Texts beyond what the workers can answer in time would only time out.
        answerable = int(self._fleet.texts_per_s * self._settings.predict_timeout_s)
        limit = min(self._settings.max_inflight_texts, max(answerable, 1))
        if self._pending and len(self._pending) + texts > limit:
            excess = len(self._pending) + min(texts, limit) - limit
            retry_after_s = self._seconds_for(excess)
            raise OverloadedError(
                f"{len(self._pending):,} texts are already in flight; try again in {retry_after_s} s",
                retry_after_s=retry_after_s,
            )

    def _seconds_for(self, texts: int) -> int:
        """How long the workers take for so many texts, in whole seconds; as long as a caller may wait at most."""
        longest_s = math.ceil(self._settings.predict_timeout_s)
        speed = self._fleet.texts_per_s
        return longest_s if speed * longest_s <= texts else max(1, math.ceil(texts / speed))

    def _accept(self, text: str, options: VerdictOptions | None) -> _Unanswered:
        deadline = time.time() + self._settings.predict_timeout_s
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        entry = _Unanswered(TextItem(next(self._ids), text), deadline, current_request_id(), options, future)
        self._pending[entry.item.id] = entry
        self._outbox.append(entry)
        self._work.set()
        return entry

    def _outcome(self, entry: _Unanswered) -> Answer | KobertError:
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

    def _next_batch(self) -> list[_Unanswered]:
        batch: list[_Unanswered] = []
        while self._outbox and len(batch) < self._settings.max_message_texts:
            entry = self._outbox.popleft()
            # A caller that timed out or disconnected has cancelled its future.
            if not entry.future.done():
                batch.append(entry)
        return batch

    async def _send(self, batch: list[_Unanswered]) -> None:
        deadline = max(entry.deadline for entry in batch)
        options = list(dict.fromkeys(entry.options for entry in batch if entry.options is not None))
        message = PredictMessage(
            reply_to=self._process_id,
            deadline=deadline,
            items=[_placed(entry, options) for entry in batch] if options else [entry.item for entry in batch],
            request_ids=list(dict.fromkeys(entry.request_id for entry in batch if entry.request_id)),
            options=options,
        )
        try:
            await self._publisher.publish(message)
        except StoreUnavailableError as error:
            self._fail(batch, error)
        except Exception as error:
            # After any error these texts must end, and the next ones must be sent.
            log.exception("publish_failed", error_type=type(error).__name__)
            self._fail(batch, KobertError("the text could not be queued"))

    def _fail(self, entries: Sequence[_Unanswered], error: KobertError) -> None:
        for entry in entries:
            if not entry.future.done():
                entry.future.set_exception(error)
                # Mark the exception as retrieved: nothing reads it if the caller has disconnected.
                entry.future.exception()


def _placed(entry: _Unanswered, options: Sequence[VerdictOptions]) -> TextItem:
    """Its item, with the place of its options among those of the message."""
    if entry.options is None:
        return entry.item
    return TextItem(entry.item.id, entry.item.text, options.index(entry.options))
