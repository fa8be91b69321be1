"""Live values for `/metrics`: queue lengths, workers, and texts in flight."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from redis.asyncio import Redis
from redis.exceptions import RedisError

from api.jobs.backlog import Backlog, read_backlog
from api.queue.dispatcher import Dispatcher
from api.queue.fleet import Fleet
from shared import keys
from shared.log import get_logger
from shared.messages import Heartbeat

log = get_logger(__name__)

# Names of the queues in the metrics.
QUEUES = {"interactive": keys.INTERACTIVE_QUEUE, "bulk": keys.BULK_QUEUE}


class _Headers(msgspec.Struct):
    queued_at: float | None = None


class _Envelope(msgspec.Struct):
    """The part of a queued message that is read; it leaves out the texts."""

    headers: _Headers


@dataclass(frozen=True)
class QueueDepth:
    """The number of waiting messages, and the age of the oldest; 0 if there is none."""

    messages: int
    oldest_s: float


class LiveGauges(Collector):
    """Call `refresh` before each scrape: it queries Redis, which the synchronous `collect` cannot do."""

    def __init__(self, redis: Redis, fleet: Fleet, dispatcher: Dispatcher, version: str) -> None:
        self._redis = redis
        self._fleet = fleet
        self._dispatcher = dispatcher
        self._version = version
        self._depths: dict[str, QueueDepth] = {}
        self._backlog: Backlog | None = None

    async def refresh(self) -> None:
        """Read queues and ledger; if Redis does not answer, their gauges are left out."""
        try:
            depths = await asyncio.gather(*(self._depth(queue) for queue in QUEUES.values()))
            self._backlog = await read_backlog(self._redis)
        except (RedisError, OSError) as error:
            log.debug("queues_unknown", error_type=type(error).__name__)
            self._depths, self._backlog = {}, None
        else:
            self._depths = dict(zip(QUEUES, depths, strict=True))

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One metric family per gauge, empty if its value is unknown."""
        workers = self._fleet.workers
        yield _labelled("kobert_build_info", "The version that runs; always 1", "version", {self._version: 1})
        yield _plain("kobert_store_up", "Whether Redis answered last time", self._fleet.store_answers)
        yield _plain("kobert_inflight_texts", "Texts accepted and not answered yet", self._dispatcher.inflight_texts)
        yield from self._queue_families()
        yield from _backlog_families(self._backlog)
        yield _plain("kobert_workers", "Workers whose heartbeat is there", len(workers))
        yield _model_info(workers)
        yield from _worker_families(workers)

    def _queue_families(self) -> Iterator[GaugeMetricFamily]:
        yield _labelled(
            "kobert_queue_messages",
            "Messages that no worker has taken yet, by kind; one carries texts, or the news that jobs have work",
            "kind",
            {kind: depth.messages for kind, depth in self._depths.items()},
        )
        yield _labelled(
            "kobert_queue_oldest_seconds",
            "Age of the oldest message that no worker has taken yet, by kind; 0 when there is none",
            "kind",
            {kind: depth.oldest_s for kind, depth in self._depths.items()},
        )

    async def _depth(self, queue: str) -> QueueDepth:
        pipeline = self._redis.pipeline(transaction=False)
        # Messages are pushed on the left and taken from the right.
        pipeline.llen(keys.queue(queue))
        pipeline.lindex(keys.queue(queue), -1)
        messages, oldest = await pipeline.execute()
        return QueueDepth(messages, _age_s(oldest))


def _age_s(message: Any) -> float:  # noqa: ANN401  what Redis gives: bytes or None
    if message is None:
        return 0.0
    try:
        queued_at = msgspec.json.decode(message, type=_Envelope).headers.queued_at
    except msgspec.DecodeError as error:
        log.warning("message_unreadable", reason=str(error))
        return 0.0
    return 0.0 if queued_at is None else max(0.0, time.time() - queued_at)


def _backlog_families(backlog: Backlog | None) -> Iterator[GaugeMetricFamily]:
    jobs: dict[str, float] = {} if backlog is None else dict(backlog.jobs)
    yield _labelled("kobert_jobs", "Jobs that have not ended, by state", "status", jobs)
    rows = None if backlog is None else backlog.rows_waiting
    yield _plain("kobert_job_rows_waiting", "Rows of jobs in progress that have no outcome yet", rows)
    oldest_s = None if backlog is None else backlog.oldest_s
    yield _plain("kobert_jobs_oldest_seconds", "Since the oldest job that has not ended was accepted", oldest_s)


def _worker_families(workers: list[Heartbeat]) -> Iterator[GaugeMetricFamily]:
    now = time.time()
    columns: tuple[tuple[str, str, Callable[[Heartbeat], float]], ...] = (
        ("heartbeat_age_seconds", "Since a worker's last heartbeat", lambda w: max(0.0, now - w.beat_at)),
        ("rss_bytes", "Resident memory of a worker", lambda w: w.rss_bytes),
        ("waiting_texts", "Texts that wait in a worker for its model", lambda w: w.waiting_texts),
        ("texts_per_second", "Speed of a worker's last batches, while it computes", lambda w: w.throughput.texts_per_s),
    )
    for name, description, value_of in columns:
        values = {worker.worker_id: value_of(worker) for worker in workers}
        yield _labelled(f"kobert_worker_{name}", description, "worker", values)


def _model_info(workers: list[Heartbeat]) -> GaugeMetricFamily:
    family = GaugeMetricFamily("kobert_model_info", "Workers that serve this model", labels=("model", "revision"))
    served = [(worker.model.name, worker.model.revision) for worker in workers]
    for model in sorted(set(served)):
        family.add_metric(model, served.count(model))
    return family


def _plain(name: str, description: str, value: float | None) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, description, value=value)


def _labelled(name: str, description: str, label: str, values: dict[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, description, labels=(label,))
    for key, value in values.items():
        family.add_metric((key,), value)
    return family
