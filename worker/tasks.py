"""The Celery tasks: answer a message of interactive texts; wake the bulk runner when a job has work."""

import time

import msgspec
import structlog
from celery import Celery, Task

from shared.celery_app import JOBS_TASK, PREDICT_TASK, QUEUED_AT_HEADER
from shared.errors import KobertError
from shared.log import get_logger, milliseconds
from shared.messages import Failure, Prediction, PredictMessage, decode
from shared.options import NO_OPTIONS, VerdictOptions
from worker.bulk.runner import BulkRunner
from worker.counters import AnsweredMessage, WorkerMetrics
from worker.inference.classifier import Classified, Classifier
from worker.replies import ReplySender

log = get_logger(__name__)


def register_predict(app: Celery, classifier: Classifier, replies: ReplySender, metrics: WorkerMetrics) -> None:
    """Make `app` handle predict messages with this classifier."""

    @app.task(name=PREDICT_TASK, ignore_result=True, acks_late=True, bind=True)
    def predict(task: Task[[str], None], payload: str) -> None:
        queued_at = task.request.get(QUEUED_AT_HEADER)
        queued_s = None if queued_at is None else max(0.0, time.time() - queued_at)
        done = answer(payload, classifier, replies, queued_s)
        if done is not None:
            metrics.observe_message(done)


def register_jobs(app: Celery, runner: BulkRunner) -> None:
    """Make `app` handle announcements that a job has work. Which job it is, is read from the ledger."""

    @app.task(name=JOBS_TASK, ignore_result=True, acks_late=True)
    def announce(_job_id: str) -> None:
        runner.wake()


def answer(
    payload: str, classifier: Classifier, replies: ReplySender, queued_s: float | None = None
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
        outcomes = _classify(message, classifier, replies)
        done = _summarise(outcomes, queued_s)
        log.info(
            "texts_classified",
            texts=len(outcomes),
            texts_failed=len(done.failures),
            queue_ms=None if queued_s is None else milliseconds(queued_s),
            tokenization_ms=milliseconds(done.tokenization_s),
            inference_ms=milliseconds(max(outcome.inference_s for outcome in outcomes)),
            total_ms=milliseconds(time.perf_counter() - started),
        )
    return done


def _classify(message: PredictMessage, classifier: Classifier, replies: ReplySender) -> list[Classified]:
    """Answer the texts group by group as they are done."""
    texts = [item.text for item in message.items]
    revision = classifier.bundle.revision
    outcomes: list[Classified] = []
    for group in classifier.classify(texts, message.deadline, _options(message)):
        results = [_result(message.items[done.index].id, done, revision) for done in group]
        replies.send(message.reply_to, results, message.deadline)
        outcomes += group
    return outcomes


def _options(message: PredictMessage) -> list[VerdictOptions]:
    """Those of each text; none at all where no text has any."""
    if not message.options:
        return []
    return [NO_OPTIONS if item.options_at is None else message.options[item.options_at] for item in message.items]


def _summarise(outcomes: list[Classified], queued_s: float | None) -> AnsweredMessage:
    failures = [done.outcome.code for done in outcomes if isinstance(done.outcome, KobertError)]
    tokenization_s = max(done.tokenization_s for done in outcomes)
    return AnsweredMessage(queued_s, tokenization_s, len(outcomes) - len(failures), failures)


def _result(item_id: int, done: Classified, revision: str) -> Prediction | Failure:
    if isinstance(done.outcome, KobertError):
        return Failure(id=item_id, code=done.outcome.code, message=done.outcome.message)
    return Prediction(
        id=item_id,
        classification=done.outcome.classification,
        confidence=done.outcome.confidence,
        labels=done.outcome.labels,
        scores=done.outcome.scores,
        windows=done.windows,
        revision=revision,
        tokenization_s=done.tokenization_s,
        inference_s=done.inference_s,
    )
