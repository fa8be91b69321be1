"""The worker's composition root: builds every part from the settings and runs them until SIGTERM or SIGINT."""

import gc

# Before the imports, which make most of what a process keeps: see `freeze_startup_objects`.
if __name__ == "__main__":
    gc.disable()

import itertools
import os
import socket
import sys
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from celery.exceptions import CPendingDeprecationWarning, SecurityWarning
from celery.signals import setup_logging, worker_ready
from redis import Redis

from bundles.format import Bundle
from bundles.sources.resolver import resolve
from shared.celery_app import QUEUES_TAKEN, make_celery
from shared.commands import kobert_command
from shared.errors import EXIT_CONFIG, KobertError, SettingsError
from shared.interpreter import (
    collect_garbage_less_often,
    freeze_startup_objects,
    limit_malloc_arenas,
    shorten_switch_interval,
    use_huge_pages,
)
from shared.jobs.ledger import Ledger
from shared.log import configure_logging, get_logger
from shared.messages import TextItem
from shared.policies.hits import HitStore
from shared.policies.rules_store import RulesStore
from shared.settings import Settings, load_settings
from shared.store_check import require_fit_store
from worker.answer_desk import AnswerDesk
from worker.bulk.runner import BulkRunner
from worker.command_writer import CommandWriter
from worker.corrections.answer import CorrectedVerdicts
from worker.corrections.book import CorrectionBook
from worker.corrections.follower import CorrectionFollower
from worker.corrections.stage import CorrectionStage
from worker.counters import WorkerMetrics
from worker.heartbeat import HeartbeatWriter
from worker.inference.batcher import MicroBatcher
from worker.inference.cache import ResultCache
from worker.inference.cascade import build_cascade
from worker.inference.classifier import Classifier
from worker.inference.engines.onnx import OnnxEngine
from worker.inference.engines.packed import share_weights
from worker.inference.engines.protocol import Engine
from worker.inference.stage import NoStage
from worker.inference.tokenizer import BundleTokenizer
from worker.inference.verdict import Judge
from worker.metrics_server import MetricsServer
from worker.predecessor import Predecessors
from worker.quarantine.known import DeadlyTexts
from worker.quarantine.reader import Quarantine
from worker.quarantine.suspects import Suspects
from worker.replies import ReplyWriter
from worker.rules.hits import HitCounter
from worker.rules.policies import PolicyRules
from worker.rules.stage import PolicyStage
from worker.tasks import register_jobs, register_predict
from worker.watchdog import Watchdog

log = get_logger(__name__)

REDIS_TIMEOUT_S = 5
BYTES_IN_MB = 1024 * 1024
WARM_UP_TIMEOUT_S = 60
WARM_UP_COUNT = 32
# Of SHUTDOWN_TIMEOUT_S; interactive texts finish first.
BULK_SHUTDOWN_SHARE = 0.5
WARM_UP_TEXTS = ("안녕하세요.", "오늘 방송 정말 재미있게 잘 봤습니다, 다음에도 꼭 볼게요!")

EngineFactory = Callable[[Bundle, int], Engine]


@dataclass(frozen=True)
class Worker:
    """The parts of a running worker process."""

    settings: Settings
    redis: Redis
    classifier: Classifier
    watchdog: Watchdog
    desk: AnswerDesk
    bulk: BulkRunner
    suspects: Suspects
    corrections: CorrectionFollower
    hits: HitCounter
    metrics: WorkerMetrics
    predecessors: Predecessors


def build_classifier(
    settings: Settings,
    engine_factory: EngineFactory = OnnxEngine,
    book: CorrectionBook | None = None,
    rules: PolicyRules | None = None,
) -> Classifier:
    """Load the model that `settings` names and start its model threads. Texts in `book` are answered without them.

    `rules` are those of boards.

    Raises:
        ModelError: the model cannot be served.
        SettingsError: a threshold for a label, or a strictness, that the model does not have.
    """
    bundle = resolve(settings)
    if settings.workers > 1:
        bundle = share_weights(bundle, settings.model_cache_dir)
    judge = Judge(bundle.config, settings.thresholds, settings.strictness)
    tokenizer = BundleTokenizer(bundle, settings.max_windows)
    batcher = MicroBatcher(
        engine_factory(bundle, settings.pass_threads),
        threads=settings.inference_threads(),
        max_batch_tokens=settings.max_batch_tokens,
        max_bulk_batch_tokens=min(settings.max_batch_tokens, settings.max_bulk_batch_tokens),
    )
    batcher.start()
    policies = NoStage() if rules is None else PolicyStage(rules, bundle.config)
    stage = CorrectionStage(CorrectionBook() if book is None else book, CorrectedVerdicts(bundle.config), policies)
    classifier = Classifier(bundle, tokenizer, batcher, judge, stage)
    classifier.cache = ResultCache(settings.result_cache_mb * BYTES_IN_MB)
    if settings.cascade == "on":
        classifier.cascade = build_cascade(bundle, judge)
    return classifier


def build_worker(settings: Settings, engine_factory: EngineFactory = OnnxEngine) -> Worker:
    """Build all parts, without announcing the worker.

    Raises:
        ModelError, SettingsError: as `build_classifier`.
    """
    if settings.redis_url is None:
        raise SettingsError(
            f"REDIS_URL is not set; a worker needs the Redis that its api uses. {kobert_command('run')} starts both, "
            "and with WORKERS=2 a second worker"
        )
    redis: Redis = Redis.from_url(
        settings.redis_url, socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=REDIS_TIMEOUT_S
    )
    predecessors = Predecessors(redis, settings.heartbeat_interval_s)
    predecessors.begin()
    book = CorrectionBook()
    rules = PolicyRules(RulesStore(redis), HitCounter(HitStore(redis)))
    classifier = build_classifier(settings, engine_factory, book, rules)
    worker_id = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
    heartbeat = HeartbeatWriter(redis, worker_id, classifier, settings)
    watchdog = Watchdog(classifier.batcher, heartbeat, redis, settings)
    metrics = WorkerMetrics()
    quarantine = Quarantine(classifier.bundle, settings.max_windows, engine_factory, settings.stall_timeout_s)
    suspects = Suspects(classifier, quarantine, DeadlyTexts(redis, classifier.info.revision))
    bulk = BulkRunner(Ledger(redis, settings), classifier, settings, worker_id, metrics.observe_chunk)
    bulk.look_at_suspects(suspects)
    metrics.watch(classifier.batcher, classifier.info)
    metrics.watch_cache(classifier.cache)
    metrics.watch_cascade(classifier.cascade)
    corrections = CorrectionFollower(settings.redis_url, book)
    desk = AnswerDesk(classifier, ReplyWriter(CommandWriter(redis), worker_id))
    return Worker(
        settings, redis, classifier, watchdog, desk, bulk, suspects, corrections, rules.hits, metrics, predecessors
    )


def serve(worker: Worker) -> int:
    """Take messages until SIGTERM or SIGINT, then finish the work in hand; returns the exit code."""
    shorten_switch_interval()
    app = make_celery(worker.settings)
    app.conf.worker_consumer = "worker.consumer:PromptConsumer"
    register_predict(app, worker.redis, worker.suspects, worker.desk, worker.metrics)
    register_jobs(app, worker.bulk)
    # Without a receiver for this signal Celery would configure logging itself.
    setup_logging.connect(_keep_logging, weak=False)
    # Celery warns when run as root, because of pickled messages; this worker accepts only JSON.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    _warm_up(worker.classifier)

    # Announce the worker only when it takes messages: API processes rely on the heartbeat.
    worker_ready.connect(partial(_announce, worker), weak=False)
    queues = QUEUES_TAKEN[worker.settings.worker_takes]
    consumer = app.Worker(queues=queues, without_gossip=True, without_mingle=True, without_heartbeat=True, quiet=True)
    # Silences the notice of a new default for `worker_cancel_long_running_tasks_on_connection_loss`, which is set.
    warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)
    # Before the first text is taken, so that none of them is answered by a model that was put right.
    worker.corrections.start()
    worker.hits.start()
    worker.suspects.known.start()
    worker.bulk.start()
    consumer.start()
    worker.bulk.stop(worker.settings.shutdown_timeout_s * BULK_SHUTDOWN_SHARE)
    worker.corrections.stop()
    worker.hits.stop()
    worker.suspects.known.stop()
    worker.watchdog.stop()
    worker.classifier.batcher.close()
    log.info("worker_stopped")
    return int(consumer.exitcode or 0)


def _announce(worker: Worker, **_: object) -> None:
    """Receives Celery's `worker_ready` signal."""
    freeze_startup_objects()
    collect_garbage_less_often()
    worker.watchdog.start(worker.settings.heartbeat_interval_s)
    after = threading.Timer(worker.predecessors.wait_s(), worker.predecessors.end_rest)
    after.daemon = True
    after.start()
    # Copying takes some hundredths of a second, so it is not waited for.
    threading.Thread(target=use_huge_pages, name="huge-pages", daemon=True).start()
    model = worker.classifier.info
    log.info("worker_ready", model=model.name, revision=model.revision, labels=model.labels)


def _keep_logging(**_: object) -> None:
    """Receives Celery's `setup_logging` signal."""


def _warm_up(classifier: Classifier) -> None:
    """Run the model before any user waits for it: it proves that it works, and gives a first figure of speed.

    Enough texts for a full pass: admission plans with the speed under load. They differ, so that a cache reads each.
    """
    texts = itertools.islice(itertools.cycle(WARM_UP_TEXTS), WARM_UP_COUNT)
    items = [TextItem(number, f"{text} {number}") for number, text in enumerate(texts)]
    list(classifier.answers_as_done(items, deadline=time.monotonic() + WARM_UP_TIMEOUT_S))


@contextmanager
def _metrics_served(worker: Worker) -> Iterator[None]:
    """Serve `/metrics` on WORKER_METRICS_PORT, unless it is 0."""
    if not worker.settings.worker_metrics_port:
        yield
        return
    server = MetricsServer(worker.metrics, worker.settings.host, worker.settings.worker_metrics_port)
    try:
        yield
    finally:
        server.close()


def main(engine_factory: EngineFactory = OnnxEngine) -> int:
    """Run a worker with settings from the environment; returns the exit code."""
    limit_malloc_arenas()
    try:
        settings = load_settings()
        configure_logging(settings, "worker")
        require_fit_store(settings, log)
        worker = build_worker(settings, engine_factory)
        with _metrics_served(worker):
            return serve(worker)
    except KobertError as error:
        sys.stderr.write(f"kobert worker: {error.message}\n")
        return EXIT_CONFIG


if __name__ == "__main__":
    sys.exit(main())
