"""Counters and timings of requests. Live values are in `api.metrics.gauges`."""

from prometheus_client import Counter, Histogram, generate_latest

from api.http.request_record import RequestRecord
from api.metrics.gauges import LiveGauges
from shared.metrics import LATENCY_BUCKETS_S, new_registry


class ApiMetrics:
    """One per API process."""

    def __init__(self) -> None:
        self.registry = new_registry()
        self._gauges: LiveGauges | None = None
        self._requests = Counter(
            "kobert_http_requests",
            "Requests answered, by route template, method and status code",
            ("route", "method", "code"),
            registry=self.registry,
        )
        self._request_seconds = Histogram(
            "kobert_http_request_seconds",
            "Time from a request's first byte to its answer's last, by route template",
            ("route",),
            buckets=LATENCY_BUCKETS_S,
            registry=self.registry,
        )
        self._stage_seconds = Histogram(
            "kobert_predict_stage_seconds",
            "Where the time of a predict request went: queue, tokenization, inference",
            ("stage",),
            buckets=LATENCY_BUCKETS_S,
            registry=self.registry,
        )
        self._predictions = Counter(
            "kobert_predictions",
            "Texts answered with a prediction, by its class and the API that was asked",
            ("class", "door"),
            registry=self.registry,
        )
        self._refused = Counter(
            "kobert_refused",
            "Requests refused as a whole, and texts refused or failed among others, by error code",
            ("unit", "reason"),
            registry=self.registry,
        )

    def watch(self, gauges: LiveGauges) -> None:
        """Register live gauges, replacing an earlier start's."""
        if self._gauges is not None:
            self.registry.unregister(self._gauges)
        self._gauges = gauges
        self.registry.register(gauges)

    async def render(self) -> bytes:
        """All metrics in Prometheus's text format."""
        if self._gauges is not None:
            await self._gauges.refresh()
        return generate_latest(self.registry)

    def observe(self, route: str, method: str, code: int, seconds: float, record: RequestRecord) -> None:
        """Count one request that has been answered."""
        self._requests.labels(route, method, str(code)).inc()
        self._request_seconds.labels(route).observe(seconds)
        if record.timing is not None:
            self._stage_seconds.labels("queue").observe(record.timing.queue_s)
            self._stage_seconds.labels("tokenization").observe(record.timing.tokenization_s)
            self._stage_seconds.labels("inference").observe(record.timing.inference_s)
        for classification in record.classifications:
            self._predictions.labels(classification, record.door).inc()
        if record.error_code is not None:
            self._refused.labels("request", record.error_code).inc()
        for reason in record.text_errors:
            self._refused.labels("text", reason).inc()
