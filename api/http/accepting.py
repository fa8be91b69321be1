"""Takes connections in crowds: whoever comes last must not wait until everybody before them has been served.

The event loop takes one connection from each listener in a round, and in the same round serves those that it has. So
behind a thousand connections of one client somebody else's would wait for as many requests, although taking one costs a
tenth of serving it. Taken at once, requests wait for their address's turn (`api.http.turns`).
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence

from shared.listening import BACKLOG

# Connections taken at once; some ten milliseconds of the event loop.
AT_ONCE = 128


class Accepting:
    """Belongs to the event loop. `listeners` are open; `make_protocol` gives each connection its own."""

    def __init__(self, listeners: Sequence[socket.socket], make_protocol: Callable[[], asyncio.Protocol]) -> None:
        self._listeners = [listener.dup() for listener in listeners]
        for listener in self._listeners:
            listener.settimeout(0)
        self._make_protocol = make_protocol
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()

    def take_waiting(self) -> bool:
        """Take the connections that wait, up to `AT_ONCE` from each listener; returns whether more may wait."""
        has_more = False
        for listener in self._listeners:
            for _ in range(AT_ONCE):
                try:
                    connection, _ = listener.accept()
                except OSError:  # no connection waits, or no file descriptor is left
                    break
                task = self._loop.create_task(self._connect(connection))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            else:
                has_more = True
        return has_more

    async def take_last(self) -> None:
        """Take those that wait now, before the server ends, and see that each has its protocol."""
        has_more = True
        for _ in range(BACKLOG // AT_ONCE):
            has_more = has_more and self.take_waiting()
            if self._tasks:
                await asyncio.wait(self._tasks)

    def close(self) -> None:
        """Take no more."""
        for listener in self._listeners:
            listener.close()

    async def _connect(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            await self._loop.connect_accepted_socket(self._make_protocol, connection)
