"""The Prometheus metrics of a worker."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from shared.messages import CascadeFigures, ModelInfo
from shared.metrics import LATENCY_BUCKETS_S, new_registry
from shared.verdict import Failure, Outcome
from worker.inference.batcher import MicroBatcher
from worker.inference.cache import ResultCache
from worker.inference.cascade import Cascade, NoCascade

WINDOW_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128)
TOKEN_BUCKETS = (8, 16, 32, 64, 128, 256, 512, 1024)


@dataclass(frozen=True)
class AnsweredMessage:
    """Figures of one answered message. Durations are in seconds; `queued_s` is None if the queueing time is unknown."""

    queued_s: float | None
    tokenization_s: float
    predicted: int
    failures: Sequence[str]


class WorkerMetrics:
    """One per worker process. Thread-safe."""

    def __init__(self) -> None:
        self.registry = new_registry()
        self._model = Gauge(
            "kobert_worker_model_info",
            "The model that this worker serves; always 1",
            ("model", "revision"),
            registry=self.registry,
        )
        self._waiting = Gauge("kobert_worker_waiting_windows", "Windows waiting for the model", registry=self.registry)
        self._beat_age = Gauge(
            "kobert_worker_model_beat_age_seconds",
            "Seconds since the model thread that has been silent longest was last seen alive",
            registry=self.registry,
        )
        self._texts = Counter(
            "kobert_worker_texts",
            "Texts of the interactive queue, by outcome: predicted, or an error code",
            ("outcome",),
            registry=self.registry,
        )
        self._job_rows = Counter(
            "kobert_worker_job_rows",
            "Rows of jobs whose outcome this worker has stored, by outcome: predicted, or an error code",
            ("outcome",),
            registry=self.registry,
        )
        self._padding = Counter("kobert_worker_padding_tokens", "Padding tokens computed", registry=self.registry)
        self._pass_windows = _histogram(self, "pass_windows", "Windows in one pass of the model", WINDOW_BUCKETS)
        self._pass_tokens = _histogram(self, "pass_tokens", "Tokens in one pass, without padding", TOKEN_BUCKETS)
        self._pass_seconds = _histogram(self, "pass_seconds", "Time of one pass of the model", LATENCY_BUCKETS_S)
        self._queue_seconds = _histogram(
            self, "queue_seconds", "Time from sending a message to starting on it", LATENCY_BUCKETS_S
        )
        self._tokenization_seconds = _histogram(
            self, "tokenization_seconds", "Time to tokenise the texts of one message", LATENCY_BUCKETS_S
        )

    def watch(self, batcher: MicroBatcher, model: ModelInfo) -> None:
        """Follow the model threads: their passes, the waiting windows and when each was last alive."""
        self._model.labels(model.name, model.revision).set(1)
        self._waiting.set_function(lambda: batcher.waiting_windows)
        self._beat_age.set_function(lambda: time.monotonic() - batcher.beat_at)
        batcher.stats.on_pass = self._observe_pass

    def watch_cache(self, cache: ResultCache) -> None:
        """Follow the result cache."""
        self.registry.register(_CacheFigures(cache))

    def watch_cascade(self, cascade: Cascade | NoCascade) -> None:
        """Follow the cascade."""
        self.registry.register(_CascadeTexts(cascade))

    def observe_message(self, message: AnsweredMessage) -> None:
        """Count one message whose texts have all been answered."""
        if message.queued_s is not None:
            self._queue_seconds.observe(message.queued_s)
        self._tokenization_seconds.observe(message.tokenization_s)
        self._texts.labels("predicted").inc(message.predicted)
        for code in message.failures:
            self._texts.labels(code).inc()

    def observe_chunk(self, outcomes: Sequence[Outcome]) -> None:
        """Count the rows of one chunk that this worker has stored in the ledger."""
        for outcome in outcomes:
            self._job_rows.labels(outcome.code if isinstance(outcome, Failure) else "predicted").inc()

    def _observe_pass(self, lengths: Sequence[int], elapsed_s: float) -> None:
        self._pass_windows.observe(len(lengths))
        self._pass_tokens.observe(sum(lengths))
        self._pass_seconds.observe(elapsed_s)
        self._padding.inc(max(lengths) * len(lengths) - sum(lengths))


class _CacheFigures(Collector):
    """Reads the result cache whenever the metrics are asked for."""

    def __init__(self, cache: ResultCache) -> None:
        self._cache = cache

    def collect(self) -> Iterator[Metric]:
        """The texts that the cache was asked for, by where the answer came from, and what it holds."""
        texts = CounterMetricFamily(
            "kobert_worker_cache_texts",
            "Texts that the result cache was asked for: stored, in_flight, or read by the model",
            labels=("source",),
        )
        texts.add_metric(("stored",), self._cache.stored_hits)
        texts.add_metric(("in_flight",), self._cache.joined_hits)
        texts.add_metric(("model",), self._cache.misses)
        yield texts
        yield GaugeMetricFamily("kobert_worker_cache_bytes", "Memory of the result cache", self._cache.bytes)
        yield GaugeMetricFamily("kobert_worker_cache_results", "Results in the result cache", len(self._cache))


class _CascadeTexts(Collector):
    """Reads the cascade's counters whenever the metrics are asked for."""

    def __init__(self, cascade: Cascade | NoCascade) -> None:
        self._cascade = cascade

    def collect(self) -> Iterator[Metric]:
        """The texts that came to the cascade, by outcome; none where it is off."""
        figures = self._cascade.figures or CascadeFigures()
        texts = CounterMetricFamily(
            "kobert_worker_cascade_texts",
            "Texts by what the cascade made of them: answered, unsure (read by the model), or exempt (never asked)",
            labels=("outcome",),
        )
        texts.add_metric(("answered",), figures.answered)
        texts.add_metric(("unsure",), figures.unsure)
        texts.add_metric(("exempt",), figures.exempt)
        yield texts


def _histogram(metrics: WorkerMetrics, name: str, description: str, buckets: Sequence[float]) -> Histogram:
    return Histogram(f"kobert_worker_{name}", description, buckets=buckets, registry=metrics.registry)
