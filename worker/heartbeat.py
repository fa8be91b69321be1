"""The worker's heartbeat in Redis. It shows that the model threads are alive, not merely the process."""

import os
import socket
import time
from pathlib import Path

from redis import Redis

from shared import keys
from shared.messages import Heartbeat, encode
from shared.settings import Settings
from worker.inference.classifier import Classifier
from worker.predecessor import process_space

# A dead worker stays in the list for this many heartbeat lifetimes.
INDEX_LIVES = 10
_KIB = 1024


class HeartbeatWriter:
    """Announces one worker; each heartbeat is valid for HEARTBEAT_TTL_S.

    Raises, from `write` and `withdraw`: `redis.RedisError` when Redis does not answer.
    """

    def __init__(self, redis: Redis, worker_id: str, classifier: Classifier, settings: Settings) -> None:
        self._redis = redis
        self._worker_id = worker_id
        self._classifier = classifier
        self._ttl_ms = int(settings.heartbeat_ttl_s * 1000)
        self._takes = settings.worker_takes
        self._started_at = time.time()

    def write(self) -> None:
        """Write the heartbeat; it expires by itself."""
        now = time.time()
        body = encode(self._compose())
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.set(keys.worker(self._worker_id), body, px=self._ttl_ms)
            pipeline.zadd(keys.WORKERS, {self._worker_id: now})
            # The list outlives the heartbeats: an id without a heartbeat tells readers that this worker died.
            pipeline.zremrangebyscore(keys.WORKERS, 0, now - INDEX_LIVES * self._ttl_ms / 1000)
            pipeline.pexpire(keys.WORKERS, INDEX_LIVES * self._ttl_ms)
            pipeline.execute()

    def withdraw(self) -> None:
        """Remove the heartbeat at once, so that no API process relies on this worker until it expires."""
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.delete(keys.worker(self._worker_id))
            pipeline.zrem(keys.WORKERS, self._worker_id)
            pipeline.execute()

    def _compose(self) -> Heartbeat:
        batcher = self._classifier.batcher
        return Heartbeat(
            worker_id=self._worker_id,
            host=socket.gethostname(),
            pid=os.getpid(),
            started_at=self._started_at,
            beat_at=time.time(),
            model=self._classifier.info,
            throughput=batcher.stats.snapshot(),
            waiting_texts=batcher.waiting_texts,
            rss_bytes=resident_bytes(),
            takes=self._takes,
            cascade=self._classifier.cascade.figures,
            process_space=process_space(),
        )


def resident_bytes() -> int:
    """Resident memory of this process; 0 if the system does not report it."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
    return int(fields.get("VmRSS", "0 kB").split()[0]) * _KIB
