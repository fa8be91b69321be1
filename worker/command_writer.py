"""Sends Redis several commands in one write, on a connection of its own.

A worker writes its answers after each pass of the model. redis-py's pipeline would take four times the processor time
for that: it builds each command of its arguments, and borrows and looks at a connection for each write.
"""

import threading
from collections.abc import Sequence
from typing import Any

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

Command = tuple[str | bytes | float, ...]


class CommandWriter:
    """Thread-safe; threads write one after the other."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._lock = threading.Lock()
        self._connection: Any = None

    def send(self, commands: Sequence[Command]) -> None:
        """Send `commands` and wait for their answers; once more where the connection turns out to be broken.

        Raises:
            RedisError: Redis does not answer, or refuses a command; the others have been done then.
        """
        with self._lock:
            if self._connection is None:
                self._connection = self._redis.connection_pool.get_connection()
            try:
                _exchange(self._connection, commands)
            except RedisConnectionError:
                # Redis may have been started again since the last write.
                _exchange(self._connection, commands)


def _exchange(connection: Any, commands: Sequence[Command]) -> None:  # noqa: ANN401  redis-py does not type it
    refused: list[ResponseError] = []
    try:
        connection.send_packed_command(connection.pack_commands(commands))
        for _ in commands:
            try:
                connection.read_response()
            except ResponseError as error:
                refused.append(error)
    except BaseException:
        # What is left of the answers must not be read as those to the next commands.
        connection.disconnect()
        raise
    if refused:
        raise refused[0]
