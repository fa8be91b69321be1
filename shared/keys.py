"""Every Redis key and queue name, in one place. All but the queues carry an expiry."""

PREFIX = "kobert:"

# Celery puts its own keys under this, so that the service can share a Redis with others.
CELERY_PREFIX = PREFIX + "celery:"

INTERACTIVE_QUEUE = "predict"
BULK_QUEUE = "jobs"

# A sorted set of worker ids, and one string a worker: its last heartbeat.
WORKERS = PREFIX + "workers"


def queue(name: str) -> str:
    """The list in which Celery keeps the waiting messages of a queue."""
    return CELERY_PREFIX + name


def worker(worker_id: str) -> str:
    """The heartbeat of one worker, as JSON; it expires when the worker goes silent."""
    return f"{PREFIX}worker:{worker_id}"


def replies(process_id: str) -> str:
    """The stream from which one API process reads its answers."""
    return f"{PREFIX}replies:{process_id}"
