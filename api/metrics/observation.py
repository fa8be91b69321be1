"""Counts every request and writes its one log line when it ends."""

import http
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.access.principal import EVERYBODY
from api.http.caller import SCOPE_KEY
from api.http.request_record import RequestRecord, start_record
from api.metrics.counters import ApiMetrics
from api.metrics.log_limit import LogLimit
from shared.jobs.records import is_job_id
from shared.log import get_logger, milliseconds

log = get_logger(__name__)

# Unknown paths share one series; otherwise clients could create any number of series.
UNMATCHED = "unmatched"
OTHER_METHOD = "OTHER"
# The client disconnected before it had its answer.
CLIENT_CLOSED = 499
_METHODS = frozenset(method.value for method in http.HTTPMethod)
# Polled every few seconds by monitoring, so logged only at debug level.
_QUIET_ROUTES = frozenset(("/health", "/ready", "/metrics"))


class ObservationMiddleware:
    """Plain ASGI middleware: cheap, and it does not break streaming."""

    def __init__(self, app: ASGIApp, metrics: ApiMetrics) -> None:
        self._app = app
        self._observer = Observer(metrics)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, count it and log it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        record = start_record()
        code = CLIENT_CLOSED

        async def send_noting_code(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_noting_code)
        except Exception:
            code = http.HTTPStatus.INTERNAL_SERVER_ERROR
            record.error_code = "internal_error"
            raise
        finally:
            if (presence := scope.get(SCOPE_KEY)) is not None and presence.is_lost:
                code = CLIENT_CLOSED
            route = getattr(scope.get("route"), "path", UNMATCHED)
            method = scope["method"] if scope["method"] in _METHODS else OTHER_METHOD
            self._observer.note(method, route, int(code), time.perf_counter() - started, record, **_job(scope))


class Observer:
    """Counts requests that have ended, and writes the log line of each."""

    def __init__(self, metrics: ApiMetrics) -> None:
        self._metrics = metrics
        self._failures = LogLimit()

    def note(
        self, method: str, route: str, code: int, seconds: float, record: RequestRecord, **details: object
    ) -> None:
        """Count one request and log it; `details` are further fields of its line.

        Of requests that failed, a bounded number of lines a second is written.
        """
        self._metrics.observe(route, method, code, seconds, record)
        if code >= http.HTTPStatus.BAD_REQUEST:
            left_out = self._failures.take()
            if left_out is None:
                return
            if left_out:
                details["not_logged"] = left_out
        details["method"], details["route"], details["code"] = method, route, code
        details["total_ms"] = milliseconds(seconds)
        _add_record(details, record)
        if route in _QUIET_ROUTES:
            log.debug("request", **details)
        else:
            log.info("request", **details)


def _job(scope: Scope) -> dict[str, object]:
    """The job id in the path, if it is a valid one; other text from the path is not logged."""
    job_id = scope.get("path_params", {}).get("job_id", "")
    return {"job_id": job_id} if is_job_id(job_id) else {}


def _add_record(details: dict[str, object], record: RequestRecord) -> None:
    if record.principal is not None and record.principal is not EVERYBODY:
        details["key_id"] = record.principal.key_id
    if record.error_code is not None:
        details["error"] = record.error_code
    timing = record.timing
    if timing is not None:
        details["texts"] = len(record.classifications) + len(record.text_errors)
        details["texts_failed"] = len(record.text_errors)
        details["queue_ms"] = milliseconds(timing.queue_s)
        details["tokenization_ms"] = milliseconds(timing.tokenization_s)
        details["inference_ms"] = milliseconds(timing.inference_s)
