"""The Celery tasks: answer a message of interactive texts; poke the bulk runner when a job has work."""

import time

import msgspec
from celery import Celery

from shared.celery_app import JOBS_TASK, PREDICT_TASK
from shared.errors import KobertError
from shared.log import get_logger
from shared.messages import Failure, Prediction, PredictMessage, decode
from worker.batcher import Priority
from worker.bulk import BulkRunner
from worker.classifier import Classified, Classifier
from worker.replies import ReplyWriter

log = get_logger(__name__)


def register_predict(app: Celery, classifier: Classifier, replies: ReplyWriter) -> None:
    """Make `app` handle predict messages with this classifier."""

    @app.task(name=PREDICT_TASK, ignore_result=True, acks_late=True)
    def predict(payload: str) -> None:
        answer(payload, classifier, replies)


def register_jobs(app: Celery, runner: BulkRunner) -> None:
    """Make `app` handle the messages that say that a job has work; the ledger, not the message, says which."""

    @app.task(name=JOBS_TASK, ignore_result=True, acks_late=True)
    def announce(_job_id: str) -> None:
        runner.poke()


def answer(payload: str, classifier: Classifier, replies: ReplyWriter) -> None:
    """Classify the texts of one encoded `PredictMessage` and send what is done as soon as it is done.

    A message that cannot be read is dropped with a log line: its sender speaks another version and will time out. One
    whose deadline has passed, because it was delivered a second time or waited too long, is dropped silently.
    """
    try:
        message = decode(payload, PredictMessage)
    except msgspec.DecodeError as error:
        log.warning("message_unreadable", reason=str(error))
        return
    if time.time() >= message.deadline:
        return
    texts = [item.text for item in message.items]
    revision = classifier.bundle.revision
    for group in classifier.classify(texts, Priority.INTERACTIVE, message.deadline):
        results = [_result(message.items[done.index].id, done, revision) for done in group]
        replies.send(message.reply_to, results, message.deadline)


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
