"""The Celery tasks: answer a message of interactive texts; wake the bulk runner when a job has work."""

import itertools
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
import structlog
from celery import Celery, Task

from shared.log import get_logger, milliseconds
from shared.messages import Answer, PredictMessage, decode
from shared.options import NO_OPTIONS, VerdictOptions
from shared.tasks import JOBS_TASK, PREDICT_TASK, QUEUED_AT_HEADER
from worker.bulk.runner import BulkRunner
from worker.counters import AnsweredMessage, WorkerMetrics
from worker.quarantine.suspects import Suspects
from worker.replies import ReplySender

log = get_logger(__name__)


class Delivery(NamedTuple):
    """How long a message was in the queue, if that is known, and whether an earlier worker did not finish it."""

    queued_s: float | None = None
    is_again: bool = False


FIRST_DELIVERY = Delivery()


def register_predict(app: Celery, suspects: Suspects, replies: ReplySender, metrics: WorkerMetrics) -> None:
    """Make `app` handle predict messages with the classifier of `suspects`."""

    @app.task(name=PREDICT_TASK, ignore_result=True, acks_late=True, bind=True)
    def predict(task: Task[[str], None], payload: str) -> None:
        queued_at = task.request.get(QUEUED_AT_HEADER)
        queued_s = None if queued_at is None else max(0.0, time.time() - queued_at)
        delivery = Delivery(queued_s, bool((task.request.delivery_info or {}).get("redelivered")))
        done = answer(payload, suspects, replies, delivery)
        if done is not None:
            metrics.observe_message(done)


def register_jobs(app: Celery, runner: BulkRunner) -> None:
    """Make `app` handle announcements that a job has work. Which job it is, is read from the ledger."""

    @app.task(name=JOBS_TASK, ignore_result=True, acks_late=True)
    def announce(_job_id: str) -> None:
        runner.wake()


def answer(
    payload: str, suspects: Suspects, replies: ReplySender, delivery: Delivery = FIRST_DELIVERY
) -> AnsweredMessage | None:
    """Classify the texts of one encoded `PredictMessage` and send what is done as soon as it is done.

    A message that cannot be read is dropped with a log line: its sender speaks another version and will time out. One
    whose deadline has passed, because it was delivered a second time or waited too long, is dropped silently.
    """
    try:
        message = decode(payload, PredictMessage)
    except msgspec.DecodeError as error:
        log.warning("message_unreadable", reason=str(error))
        return None
    if time.time() >= message.deadline:
        return None
    with structlog.contextvars.bound_contextvars(request_ids=message.request_ids):
        started = time.perf_counter()
        answers: list[Answer] = []
        for group in _answers_as_done(message, suspects, is_again=delivery.is_again):
            replies.send(message.reply_to, group, message.deadline)
            answers += group
        done = _summarise(answers, delivery.queued_s)
        log.info(
            "texts_classified",
            texts=len(answers),
            texts_failed=len(done.failures),
            queue_ms=None if delivery.queued_s is None else milliseconds(delivery.queued_s),
            tokenization_ms=milliseconds(done.tokenization_s),
            inference_ms=milliseconds(max(answer.inference_s for answer in answers)),
            total_ms=milliseconds(time.perf_counter() - started),
        )
    return done


def _answers_as_done(message: PredictMessage, suspects: Suspects, *, is_again: bool) -> Iterator[list[Answer]]:
    """The answers group by group; texts that an earlier worker may have died of come last, and with care."""
    items, options, deadline = message.items, _options(message), message.deadline
    if not is_again and not any(item.is_suspect for item in items):
        return suspects.classifier.answers_as_done(items, deadline, options)
    asked = list(zip(items, options or [NO_OPTIONS] * len(items), strict=True))
    plain = [one for one in asked if not (is_again or one[0].is_suspect)]
    return itertools.chain(
        suspects.classifier.answers_as_done([item for item, _ in plain], deadline, [own for _, own in plain]),
        suspects.answers_as_done([one for one in asked if one not in plain], deadline),
    )


def _options(message: PredictMessage) -> list[VerdictOptions]:
    """Those of each text; none at all where no text has any."""
    if not message.options:
        return []
    return [NO_OPTIONS if item.options_at is None else message.options[item.options_at] for item in message.items]


def _summarise(answers: Sequence[Answer], queued_s: float | None) -> AnsweredMessage:
    failures = [answer.failure.code for answer in answers if answer.failure is not None]
    tokenization_s = max(answer.tokenization_s for answer in answers)
    return AnsweredMessage(queued_s, tokenization_s, len(answers) - len(failures), failures)
