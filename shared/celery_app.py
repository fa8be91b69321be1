"""The Celery application of a worker. The API writes its messages itself (`api.queue.celery_message`).

Why each option is as it is: `docs/decisions/0002-celery-on-redis.md`.
"""

from typing import Any

from celery import Celery
from kombu import Exchange, Queue

from shared import keys, redis_url
from shared.settings import Settings

QUEUES = (keys.INTERACTIVE_QUEUE, keys.BULK_QUEUE)
# The queues of each value of WORKER_TAKES.
QUEUES_TAKEN = {"all": QUEUES, "predict": (keys.INTERACTIVE_QUEUE,), "jobs": (keys.BULK_QUEUE,)}

# A dead worker holds the lock for restoring unacknowledged messages at most this long; kombu's default is 300 s.
RESTORE_LOCK_S = 5


# A worker polls for messages every second, so a read that takes this long means that the connection is dead.
WORKER_SOCKET_TIMEOUT_S = 10.0


def make_celery(settings: Settings, *, socket_timeout_s: float = WORKER_SOCKET_TIMEOUT_S) -> Celery:
    """Build the application for `settings.redis_url`; `socket_timeout_s` bounds every broker command."""
    if settings.redis_url is None:
        raise ValueError("REDIS_URL must be set before the Celery application is built")
    app = Celery("kobert", broker=redis_url.for_celery(settings.redis_url), set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        # A refusal of Redis, as when its disk is full, is waited for like a lost connection (worker/consumer.py).
        broker_channel_error_retry=True,
        broker_connection_max_retries=None,
        broker_connection_retry_on_startup=True,
        broker_connection_timeout=2,
        broker_transport_options=_transport_options(settings, socket_timeout_s),
        task_acks_late=True,
        task_acks_on_failure_or_timeout=True,
        task_create_missing_queues=False,
        task_default_queue=keys.INTERACTIVE_QUEUE,
        task_ignore_result=True,
        task_queues=[Queue(name, Exchange(name), routing_key=name) for name in QUEUES],
        task_reject_on_worker_lost=True,
        task_serializer="json",
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_concurrency=settings.task_threads,
        worker_enable_remote_control=False,
        worker_enable_prefetch_count_reduction=False,
        worker_hijack_root_logger=False,
        worker_pool="threads",
        worker_prefetch_multiplier=1,
        worker_send_task_events=False,
    )
    return app


def _transport_options(settings: Settings, socket_timeout_s: float) -> dict[str, Any]:
    return {
        "global_keyprefix": keys.CELERY_PREFIX,
        "health_check_interval": 5,
        "socket_connect_timeout": 2,
        "socket_keepalive": True,
        "socket_timeout": socket_timeout_s,
        "unacked_mutex_expire": RESTORE_LOCK_S,
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
        "visibility_timeout": settings.visibility_timeout_s,
    }
