"""Celery's consumer, but reconnecting to a lost Redis within two seconds.

Celery's retry delay grows up to 30 seconds, so after a short outage messages would wait long after Redis is back.
"""

from typing import Any

from celery.worker.consumer import Consumer
from celery.worker.state import maybe_shutdown

from shared.log import get_logger

log = get_logger(__name__)

RETRY_FIRST_S = 0.5
RETRY_LONGEST_S = 2.0


class PromptConsumer(Consumer):
    """Named by Celery's setting `worker_consumer`."""

    def ensure_connected(self, conn: Any) -> Any:  # noqa: ANN401  kombu has no types
        """Retry until `conn` is connected or the worker shuts down; returns `conn`."""

        def note(error: Exception, retry_in_s: float) -> None:
            log.warning("queue_unreachable", error_type=type(error).__name__, retry_in_s=retry_in_s)

        return conn.ensure_connection(
            note,
            None,
            interval_start=RETRY_FIRST_S,
            interval_step=RETRY_FIRST_S,
            interval_max=RETRY_LONGEST_S,
            callback=maybe_shutdown,
        )
