"""One connection to the queue, made and used by one thread. Celery's client blocks."""

import time
from typing import Any

from celery import Celery

from shared.celery_app import QUEUED_AT_HEADER

# Celery would otherwise copy the texts into a message header, for its logs.
HIDDEN_ARGUMENTS = "(texts)"


class CelerySender:
    """Not thread-safe. Raises Kombu's, redis-py's and the system's errors as they come."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._producer: Any = None

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection that worked when it was last used."""
        return self._producer is not None

    def connect(self) -> None:
        """Open the connection, unless there is one."""
        if self._producer is None:
            connection = self._app.connection_for_write()
            producer = self._app.amqp.Producer(connection)
            try:
                # Messages leave by this pool; the channel's own check uses another.
                channel: Any = connection.default_channel
                with channel.conn_or_acquire() as client:
                    client.ping()
            except Exception:
                connection.release()
                raise
            self._producer = producer

    def disconnect(self) -> None:
        """Give the connection back, if there is one."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.connection.release()

    def send(self, task: str, queue: str, argument: str) -> None:
        """Send one message, over a new connection if there is none; closes the connection if it fails."""
        self.connect()
        try:
            self._app.send_task(
                task,
                args=(argument,),
                queue=queue,
                producer=self._producer,
                retry=False,
                ignore_result=True,
                argsrepr=HIDDEN_ARGUMENTS,
                headers={QUEUED_AT_HEADER: time.time()},
            )
        except Exception:
            self.disconnect()
            raise
