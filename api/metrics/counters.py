"""Counters and timings of requests. Live values are in `api.metrics.gauges`."""

from prometheus_client import generate_latest

from api.http.request_record import RequestRecord
from api.metrics.gauges import LiveGauges
from api.metrics.tallies import Tally, Times
from shared.metrics import LATENCY_BUCKETS_S, new_registry


class ApiMetrics:
    """One per API process."""

    def __init__(self) -> None:
        self.registry = new_registry()
        self._gauges: LiveGauges | None = None
        self._requests = Tally(
            "kobert_http_requests",
            "Requests answered, by route template, method and status code",
            ("route", "method", "code"),
        )
        self._request_seconds = Times(
            "kobert_http_request_seconds",
            "Time from a request's first byte to its answer's last, by route template",
            "route",
            LATENCY_BUCKETS_S,
        )
        self._stage_seconds = Times(
            "kobert_predict_stage_seconds",
            "Where the time of a predict request went: queue, tokenization, inference",
            "stage",
            LATENCY_BUCKETS_S,
        )
        self._predictions = Tally(
            "kobert_predictions",
            "Texts answered with a prediction, by its class and the API that was asked",
            ("class", "door"),
        )
        self._refused = Tally(
            "kobert_refused",
            "Requests refused as a whole, and texts refused or failed among others, by error code",
            ("unit", "reason"),
        )
        for collector in (
            self._requests, self._request_seconds, self._stage_seconds, self._predictions, self._refused,
        ):  # fmt: skip
            self.registry.register(collector)

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
        self._requests.add(route, method, code)
        self._request_seconds.add(route, seconds)
        timing = record.timing
        if timing is not None:
            self._stage_seconds.add("queue", timing.queue_s)
            self._stage_seconds.add("tokenization", timing.tokenization_s)
            self._stage_seconds.add("inference", timing.inference_s)
        for classification in record.classifications:
            self._predictions.add(classification, record.door)
        if record.error_code is not None:
            self._refused.add("request", record.error_code)
        for reason in record.text_errors:
            self._refused.add("text", reason)
