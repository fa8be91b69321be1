"""Writes answers to the stream of the API process that asked.

While the connection is lost or the store takes nothing, a reply is sent again until nobody waits for it.
"""

import time
from typing import Protocol

from redis import Redis
from redis.exceptions import RedisError

from shared import keys
from shared.log import get_logger
from shared.messages import Answer, Reply, encode
from shared.store_errors import is_passing
from worker.delivery import Delivery

log = get_logger(__name__)

# A stream expires this long after its last reply, which gives its reader time to reconnect.
STREAM_TTL_S = 300
# About the number of texts that one API process has in flight; older entries have been read.
STREAM_MAX_ENTRIES = 4_096
RETRY_DELAY_S = 0.2


class ReplySender(Protocol):
    """Takes what a task has done."""

    def send(self, reply_to: str, answers: list[Answer], deadline: float, ended: Delivery | None = None) -> None:
        """Send `answers` to process `reply_to`, or give up at Unix time `deadline`.

        They are the last ones to the message `ended`, which is acknowledged with them.
        """


class ReplyWriter:
    """Thread-safe: each call takes its own connection from the client's pool."""

    def __init__(self, redis: Redis, worker_id: str) -> None:
        self._redis = redis
        self._worker_id = worker_id

    def send(self, reply_to: str, answers: list[Answer], deadline: float, ended: Delivery | None = None) -> None:
        """Append `answers` to the stream of process `reply_to`; give up, with a log line, at Unix time `deadline`."""
        body = encode(Reply(worker_id=self._worker_id, answers=answers))
        while True:
            try:
                self._append(keys.replies(reply_to), body, ended)
            except RedisError as error:
                if not is_passing(error):
                    raise
                if time.time() >= deadline:
                    log.warning("reply_undeliverable", answers=len(answers))
                    return
                time.sleep(RETRY_DELAY_S)
            else:
                return

    def _append(self, stream: str, body: bytes, ended: Delivery | None) -> None:
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.xadd(stream, {"reply": body}, maxlen=STREAM_MAX_ENTRIES, approximate=True)
            pipeline.expire(stream, STREAM_TTL_S)
            if ended is not None:
                ended.acknowledge_with(pipeline)
            pipeline.execute()
