"""Celery's consumer, except that it looks for a lost Redis every second or two, and outlives one that refuses writes.

Celery's own waits grow by two seconds up to half a minute, so that after a short outage messages would lie untouched
long after Redis is back; and a refusal, as of a Redis whose disk is full, would end the whole worker.
"""

import time
from typing import Any

from celery.worker.consumer import Consumer
from celery.worker.state import maybe_shutdown
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from shared.log import get_logger
from shared.store_errors import is_refusal, name_store_error
from worker.transport import PromptTransport

log = get_logger(__name__)

RETRY_FIRST_S = 0.5
RETRY_LONGEST_S = 2.0


class PromptConsumer(Consumer):
    """Named by Celery's setting `worker_consumer`."""

    def ensure_connected(self, conn: Any) -> Any:  # noqa: ANN401  kombu has no types
        """Retry until `conn` is connected or the worker shuts down; returns `conn`."""
        conn.transport_cls = PromptTransport
        is_lost = False

        def note(error: Exception, retry_in_s: float) -> None:
            nonlocal is_lost
            if not is_lost:
                log.warning("queue_unreachable", error_type=type(error).__name__, retry_in_s=retry_in_s)
            is_lost = True

        connected = conn.ensure_connection(
            note,
            None,
            interval_start=RETRY_FIRST_S,
            interval_step=RETRY_FIRST_S,
            interval_max=RETRY_LONGEST_S,
            callback=maybe_shutdown,
        )
        if is_lost:
            log.info("queue_reached")
        return connected

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Close the connection; if Redis only refuses for now, wait until it does not."""
        super().on_connection_error_after_connected(exc)
        if is_refusal(exc):
            self._wait_while_refused(exc)

    def _wait_while_refused(self, error: Exception) -> None:
        fault = name_store_error(error)
        log.warning("queue_refuses", error=fault.code, reason=fault.message)
        time.sleep(RETRY_FIRST_S)
        while self._is_refused():
            maybe_shutdown()
            time.sleep(RETRY_FIRST_S)
        log.info("queue_accepts")

    def _is_refused(self) -> bool:
        """Whether Redis answers and takes no writes; one that does not answer is waited for elsewhere."""
        try:
            with self.app.connection_for_read() as connection:
                channel: Any = connection.default_channel
                with channel.conn_or_acquire() as client:
                    client.ping()
        except (RedisError, OperationalError, OSError) as error:
            return is_refusal(error)
        return False
