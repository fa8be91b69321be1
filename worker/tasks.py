"""The Celery tasks: answer a message of interactive texts; wake the bulk runner when a job has work."""

import itertools
import time
from collections.abc import Sequence

import msgspec
import structlog
from celery import Celery
from redis import Redis

from shared.log import get_logger, milliseconds
from shared.messages import Answer, PredictMessage, decode
from shared.options import NO_OPTIONS, VerdictOptions
from shared.tasks import JOBS_TASK, PREDICT_TASK
from worker.answer_desk import AnswerDesk
from worker.bulk.runner import BulkRunner
from worker.counters import AnsweredMessage, WorkerMetrics
from worker.delivery import Delivery, PoolStrategy
from worker.quarantine.suspects import Suspects
from worker.replies import ReplySender

log = get_logger(__name__)


def register_predict(app: Celery, redis: Redis, suspects: Suspects, desk: AnswerDesk, metrics: WorkerMetrics) -> None:
    """Make `app` handle predict messages, whose queue is in `redis`."""

    @app.task(name=PREDICT_TASK, ignore_result=True, acks_late=True, Strategy=PoolStrategy(redis))
    def predict(delivery: Delivery) -> None:
        done = answer(delivery, suspects, desk)
        if done is not None:
            metrics.observe_message(done)


def register_jobs(app: Celery, runner: BulkRunner) -> None:
    """Make `app` handle announcements that a job has work. Which job it is, is read from the ledger."""

    @app.task(name=JOBS_TASK, ignore_result=True, acks_late=True)
    def announce(_job_id: str) -> None:
        runner.wake()


def answer(delivery: Delivery, suspects: Suspects, desk: AnswerDesk) -> AnsweredMessage | None:
    """Classify the texts of one encoded `PredictMessage` and send what is done as soon as it is done.

    A message that cannot be read is dropped with a log line: its sender speaks another version and will time out. One
    whose deadline has passed, because it was delivered a second time or waited too long, is dropped silently.
    """
    try:
        message = decode(delivery.read(), PredictMessage)
    except msgspec.DecodeError as error:
        log.warning("message_unreadable", reason=str(error))
        return None
    if time.monotonic() >= message.deadline_here:
        return None
    with structlog.contextvars.bound_contextvars(request_ids=message.request_ids):
        started = time.perf_counter()
        is_plain = not delivery.is_again and not any(item.is_suspect for item in message.items)
        if is_plain and not suspects.known.are_known:
            answers = desk.answer(message, _options(message), delivery)
        else:
            answers = _answer_with_care(message, delivery, suspects, desk.replies)
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


def _answer_with_care(
    message: PredictMessage, delivery: Delivery, suspects: Suspects, replies: ReplySender
) -> list[Answer]:
    """The answers, when all are sent; those to texts that an earlier worker may have died of come last."""
    delivery.note()
    items, options, deadline = message.items, _options(message), message.deadline_here
    asked = list(zip(items, options or [NO_OPTIONS] * len(items), strict=True))
    plain = [one for one in asked if not (delivery.is_again or one[0].is_suspect)]
    suspected = [one for one in asked if delivery.is_again or one[0].is_suspect]
    answers: list[Answer] = []
    for group in itertools.chain(
        suspects.answers_to_known(plain, deadline),
        suspects.answers_as_done(suspected, deadline) if suspected else (),
    ):
        answers += group
        is_last = len(answers) == len(items)
        replies.send(message.reply_to, group, deadline, delivery if is_last else None)
    return answers


def _options(message: PredictMessage) -> list[VerdictOptions]:
    """Those of each text; none at all where no text has any."""
    if not message.options:
        return []
    return [NO_OPTIONS if item.options_at is None else message.options[item.options_at] for item in message.items]


def _summarise(answers: Sequence[Answer], queued_s: float | None) -> AnsweredMessage:
    failures = [answer.failure.code for answer in answers if answer.failure is not None]
    tokenization_s = max(answer.tokenization_s for answer in answers)
    return AnsweredMessage(queued_s, tokenization_s, len(answers) - len(failures), failures)
