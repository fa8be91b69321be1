"""The Celery tasks: answer a message of interactive texts; wake the bulk runner when a job has work."""

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
from worker.bulk.runner import BulkRunner
from worker.counters import AnsweredMessage, WorkerMetrics
from worker.delivery import Delivery, PoolStrategy
from worker.inference.classifier import Classifier
from worker.replies import ReplySender

log = get_logger(__name__)


def register_predict(
    app: Celery, redis: Redis, classifier: Classifier, replies: ReplySender, metrics: WorkerMetrics
) -> None:
    """Make `app` handle predict messages, whose queue is in `redis`, with this classifier."""

    @app.task(name=PREDICT_TASK, ignore_result=True, acks_late=True, Strategy=PoolStrategy(redis))
    def predict(delivery: Delivery) -> None:
        done = answer(delivery, classifier, replies)
        if done is not None:
            metrics.observe_message(done)


def register_jobs(app: Celery, runner: BulkRunner) -> None:
    """Make `app` handle announcements that a job has work. Which job it is, is read from the ledger."""

    @app.task(name=JOBS_TASK, ignore_result=True, acks_late=True)
    def announce(_job_id: str) -> None:
        runner.wake()


def answer(delivery: Delivery, classifier: Classifier, replies: ReplySender) -> AnsweredMessage | None:
    """Classify the texts of one encoded `PredictMessage` and send what is done as soon as it is done.

    A message that cannot be read is dropped with a log line: its sender speaks another version and will time out. One
    whose deadline has passed, because it was delivered a second time or waited too long, is dropped silently.
    """
    try:
        message = decode(delivery.read(), PredictMessage)
    except msgspec.DecodeError as error:
        log.warning("message_unreadable", reason=str(error))
        return None
    if time.time() >= message.deadline:
        return None
    with structlog.contextvars.bound_contextvars(request_ids=message.request_ids):
        started = time.perf_counter()
        answers = _reply_as_done(message, delivery, classifier, replies)
        queued_s = delivery.queued_s
        done = _summarise(answers, queued_s)
        log.info(
            "texts_classified",
            texts=len(answers),
            texts_failed=len(done.failures),
            queue_ms=None if queued_s is None else milliseconds(queued_s),
            tokenization_ms=milliseconds(done.tokenization_s),
            inference_ms=milliseconds(max(answer.inference_s for answer in answers)),
            total_ms=milliseconds(time.perf_counter() - started),
        )
    return done


def _reply_as_done(
    message: PredictMessage, delivery: Delivery, classifier: Classifier, replies: ReplySender
) -> list[Answer]:
    """Send the answers to the texts group by group, and return them all. The last ones acknowledge the message."""
    answers: list[Answer] = []
    for group in classifier.answers_as_done(message.items, message.deadline, _options(message), delivery.note):
        answers += group
        is_last = len(answers) == len(message.items)
        replies.send(message.reply_to, group, message.deadline, delivery if is_last else None)
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
