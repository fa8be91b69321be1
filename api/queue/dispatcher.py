"""Sends texts to the queue and waits for their answers. One per API process.

There is no timer. While less work is with the workers than keeps them busy, a text is sent at once; otherwise texts
collect, and leave together when answers come back (`api.queue.credit`). So a single text never waits, and under load
one Celery message carries many.
"""

import asyncio
import time
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol

import msgspec

from api.background import end_task
from api.http.caller import Caller, current_caller
from api.http.request_id import current_request_id
from api.queue.admission import Admission
from api.queue.deadlines import Deadlines
from api.queue.lanes import Lanes
from api.queue.pending import PendingRequest, PendingText
from api.queue.publisher import TextPublisher
from shared.errors import (
    DeadlineExceededError,
    DiskFullError,
    KobertError,
    StoreFullError,
    StoreUnavailableError,
    UnavailableError,
)
from shared.log import get_logger
from shared.messages import Answer, PredictMessage, TextItem
from shared.options import VerdictOptions
from shared.settings import Settings
from shared.steady_time import steady_clock, unix_time_of

log = get_logger(__name__)

_NO_ROOM_PAUSE_S = 0.5  # before a store that had no room is asked again to take a text that it has taken before


class WorkerFleet(Protocol):
    """What is known of the workers."""

    @property
    def cost_per_s(self) -> float:
        """Cost of texts per second of all live workers together, while they compute; 0 if it is not known."""

    @property
    def interactive_count(self) -> int:
        """How many live workers take interactive texts."""

    def require_live_worker(self) -> None:
        """Raise StoreUnavailableError or NoWorkerError when nobody could answer."""


class Dispatcher:
    """Every text given to `ask_workers` ends, before its deadline, as a result or as a named error."""

    def __init__(self, settings: Settings, process_id: str, publisher: TextPublisher, fleet: WorkerFleet) -> None:
        self._settings = settings
        self._process_id = process_id
        self._publisher = publisher
        self._fleet = fleet
        self._lanes = Lanes(settings)
        self._deadlines = Deadlines(settings.predict_timeout_s)
        self._admission = Admission(settings, fleet)
        self._sent: dict[int, PendingText] = {}
        self._work = asyncio.Event()
        self._sender: asyncio.Task[None] | None = None
        # Whether the sender waits for work, and the message that was sent meanwhile, whose outcome it is to see.
        self._is_sender_idle = False
        self._begun: tuple[list[PendingText], Coroutine[Any, Any, None]] | None = None

    def start(self) -> None:
        """Start sending."""
        self._sender = asyncio.create_task(self._send_forever(), name="dispatcher")

    async def close(self) -> None:
        """Stop sending; pending texts fail with `StoreUnavailableError`."""
        await end_task(self._sender)
        if self._begun is not None:
            self._begun[1].close()
        self._deadlines.fail_all(StoreUnavailableError("the server is stopping"))

    @property
    def inflight_texts(self) -> int:
        """Texts accepted and not yet answered."""
        return self._admission.texts

    def require_room(self, caller: str | None = None) -> None:
        """Refuse a caller, by default the current one, at once, before its request is read.

        It is refused if not even a short text would be accepted.

        Raises:
            OverloadedError: as `ask_workers`.
        """
        self._admission.require_room(current_caller().name if caller is None else caller)

    async def ask_workers(
        self, texts: Sequence[str], options: VerdictOptions | None = None
    ) -> list[Answer | KobertError]:
        """Answers in the order of `texts`; a text without one by the deadline gets its error in its place.

        Texts whose caller hangs up are not sent any more.

        Raises:
            StoreUnavailableError, NoWorkerError: no worker could answer.
            OverloadedError: too much is in flight.
            TooLargeError: these texts alone take longer than a caller waits.
        """
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        request = self.ask(texts, options, current_caller(), current_request_id())
        request.on_over = lambda _: None if over.done() else over.set_result(None)
        if request.caller.presence.is_lost:
            # It hung up before anybody could watch it.
            request.end()
        try:
            await over
        finally:
            answers = self.conclude(request)
        return answers

    def ask(
        self, texts: Sequence[str], options: VerdictOptions | None, caller: Caller, request_id: str | None
    ) -> PendingRequest:
        """Begin what `ask_workers` does. Set `on_over` at once: when it is called, call `conclude`, in any case.

        Raises:
            StoreUnavailableError, NoWorkerError, OverloadedError, TooLargeError: as `ask_workers`.
        """
        self._fleet.require_live_worker()
        request = self._accept(texts, options, caller, request_id)
        self._deadlines.add(request)
        caller.presence.watch(request.end)
        return request

    def conclude(self, request: PendingRequest) -> list[Answer | KobertError]:
        """The answers in the order of the texts; those that have not come are not waited for any more."""
        request.caller.presence.forget(request.end)
        self._deadlines.remove(request)
        request.end()
        self._admission.release(request.caller.name, request.cost_left, request.texts_left)
        if not request.unanswered:
            return request.answers  # type: ignore[return-value]  # each is there
        late = DeadlineExceededError(f"no answer within {self._settings.predict_timeout_s:g} s (PREDICT_TIMEOUT_S)")
        return [late if answer is None else answer for answer in request.answers]

    def resolve(self, answers: Sequence[Answer]) -> None:
        """Take answers from the reply stream; those nobody waits for (late, or doubled by a redelivery) are dropped."""
        now = time.monotonic()
        cost = 0
        for answer in answers:
            text = self._sent.pop(answer.id, None)
            if text is not None:
                cost += text.cost
                self._lanes.settle(text, now)
                self._answer(text, answer)
        is_backlogged = bool(self._lanes)
        self._admission.note_answers(cost, is_backlogged=is_backlogged)
        if is_backlogged:
            self._work.set()

    def resend_suspects(self) -> None:
        """As `resend_pending`, since a worker died: perhaps of one of these texts, so the next one takes care."""
        for text in self._sent.values():
            text.mark_suspect()
        self.resend_pending()

    def resend_pending(self) -> None:
        """Send every unanswered text again: a worker died or the store was away, and what it took along is not known.

        Celery would redeliver most of them later, but loses a message that Redis delivered just before the worker died
        (kombu#305). `resolve` drops duplicate answers.
        """
        self._lanes.forget_all()
        unanswered = [text for text in self._sent.values() if text.is_wanted]
        self._sent.clear()
        if unanswered:
            log.warning("texts_resent", texts=len(unanswered))
            self._lanes.add_again(unanswered)
        self._work.set()

    def check_progress(self) -> None:
        """Call it every second or so: frees the credit of messages of which nothing is heard."""
        if self._lanes.forget_stuck(time.monotonic()):
            self._work.set()
        self._sent = {
            text_id: text for text_id, text in self._sent.items() if text.is_wanted or self._lanes.counts(text)
        }

    def _accept(
        self, texts: Sequence[str], options: VerdictOptions | None, caller: Caller, request_id: str | None
    ) -> PendingRequest:
        deadline = time.monotonic() + self._settings.predict_timeout_s
        request = PendingRequest(texts, options, caller, deadline)
        request.request_id = request_id
        self._admission.accept(request.caller.name, request.cost_left, len(texts))
        self._lanes.add(request)
        self._send_lone()
        self._work.set()
        return request

    def _send_lone(self) -> None:
        """Send what waits now, and not in the sender's next turn, if there is nothing that it could leave with."""
        if self._sent or self._work.is_set() or not (self._is_sender_idle and self._publisher.is_open):
            return
        self._resize_lanes()
        batch = self._lanes.take(time.monotonic(), self._horizon())
        if batch:
            self._begun = batch, self._publisher.publish_now(self._note_sent(batch))

    def _answer(self, text: PendingText, answer: Answer | KobertError) -> None:
        if text.is_wanted:
            request = text.request
            request.cost_left -= text.cost
            request.texts_left -= 1
            self._admission.release(request.caller.name, text.cost, 1)
            text.answer(answer)

    async def _send_forever(self) -> None:
        while True:
            self._is_sender_idle = True
            await self._work.wait()
            self._is_sender_idle = False
            self._work.clear()
            begun, self._begun = self._begun, None
            if begun is not None:
                await self._send(*begun)
            self._resize_lanes()
            while batch := self._lanes.take(time.monotonic(), self._horizon()):
                await self._send(batch)

    def _resize_lanes(self) -> None:
        self._lanes.resize(self._fleet.interactive_count, self._admission.texts - len(self._sent))

    def _horizon(self) -> float:
        """The time, on the monotonic clock, before which a text that leaves now cannot be answered."""
        speed = self._admission.speed
        return time.monotonic() + (self._lanes.cost_away / speed if speed else 0.0)

    async def _send(self, batch: list[PendingText], begun: Coroutine[Any, Any, None] | None = None) -> None:
        """Send a message, or see the outcome of one that was sent."""
        try:
            await (begun or self._publisher.publish(self._note_sent(batch)))
        except (DiskFullError, StoreFullError) as error:
            # Texts that were already accepted wait for room until their deadline; new ones are refused.
            self._send_later([text for text in batch if text.has_left])
            self._fail([text for text in batch if not text.has_left], error)
        except UnavailableError as error:
            self._fail(batch, error)
        except Exception as error:
            # After any error these texts must end, and the next ones must be sent.
            log.exception("publish_failed", error_type=type(error).__name__)
            self._fail(batch, KobertError("the text could not be queued"))
        else:
            for text in batch:
                text.has_left = True

    def _send_later(self, texts: Sequence[PendingText]) -> None:
        now = time.monotonic()
        for text in texts:
            self._sent.pop(text.item.id, None)
            self._lanes.settle(text, now)
        asyncio.get_running_loop().call_later(_NO_ROOM_PAUSE_S, self._send_again, texts)

    def _send_again(self, texts: Sequence[PendingText]) -> None:
        self._lanes.add_again(text for text in texts if text.is_wanted)
        self._work.set()

    def _note_sent(self, batch: Sequence[PendingText]) -> PredictMessage:
        """The message of these texts, which are sent from now on."""
        for text in batch:
            self._sent[text.item.id] = text
        requests = {id(text.request): text.request for text in batch}.values()
        options = list(dict.fromkeys(request.options for request in requests if request.options is not None))
        deadline = max(request.deadline for request in requests)
        return PredictMessage(
            reply_to=self._process_id,
            deadline=unix_time_of(deadline),
            steady_deadline=deadline,
            clock=steady_clock(),
            items=[_placed(text, options) for text in batch] if options else [text.item for text in batch],
            request_ids=list(dict.fromkeys(request.request_id for request in requests if request.request_id)),
            options=options,
        )

    def _fail(self, batch: Sequence[PendingText], error: KobertError) -> None:
        now = time.monotonic()
        for text in batch:
            self._sent.pop(text.item.id, None)
            self._lanes.settle(text, now)
            self._answer(text, error)


def _placed(text: PendingText, options: Sequence[VerdictOptions]) -> TextItem:
    """Its item, with the place of its options among those of the message."""
    own = text.request.options
    return text.item if own is None else msgspec.structs.replace(text.item, options_at=options.index(own))
