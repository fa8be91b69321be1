"""Takes connections in crowds: whoever comes last must not wait until everybody before them has been served.

The event loop takes one connection from each listener in a round, and in the same round serves those that it has. So
behind a thousand connections of one client somebody else's would wait for as many requests. To take one from the
system costs a tenth of what its protocol costs, and that a part of serving it. So all that wait are taken at once, and
get their protocol when it is their address's turn (`api.http.turns`), as requests do.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from api.http.turns import Turns
from shared.listening import BACKLOG

# Connections taken at once; some milliseconds of the event loop.
AT_ONCE = 128
# Of the connections that a process may have, how many more may wait for their turn.
WAITING_SHARE = 0.25


class Accepting:
    """Belongs to the event loop. `listeners` are open; `make_protocol` gives each connection its own.

    At most `max_waiting` connections wait for their turn; further ones do not wait.
    """

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        make_protocol: Callable[[], asyncio.Protocol],
        turns: Turns,
        max_waiting: int,
    ) -> None:
        self._listeners = [listener.dup() for listener in listeners]
        for listener in self._listeners:
            listener.settimeout(0)
        self._make_protocol = make_protocol
        self._turns = turns
        self._max_waiting = max_waiting
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[_Taken, None] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def take_waiting(self) -> bool:
        """Take the connections that wait, up to `AT_ONCE` from each listener; returns whether more may wait."""
        has_more = False
        for listener in self._listeners:
            for _ in range(AT_ONCE):
                try:
                    connection, address = listener.accept()
                except OSError:  # no connection waits, or no file descriptor is left
                    break
                self._begin_in_turn(connection, address[0] if address else "")
            else:
                has_more = True
        return has_more

    async def take_last(self) -> None:
        """Take those that wait now, before the server ends, and see that each has its protocol."""
        has_more = True
        for _ in range(BACKLOG // AT_ONCE):
            has_more = has_more and self.take_waiting()
            for taken in list(self._waiting):
                self._begin_waiting(taken)
            if self._tasks:
                await asyncio.wait(self._tasks)

    def close(self) -> None:
        """Take no more; what still waits is closed."""
        for listener in self._listeners:
            listener.close()
        while self._waiting:
            self._waiting.popitem()[0].connection.close()

    def _begin_in_turn(self, connection: socket.socket, address: str) -> None:
        taken = _Taken(connection, self._begin_waiting)
        if len(self._waiting) < self._max_waiting and self._turns.must_wait(address, taken, 0):
            self._waiting[taken] = None
        else:
            self._begin(connection)

    def _begin_waiting(self, taken: "_Taken") -> None:
        """Begin one that waits; it may have been begun before its turn, or closed."""
        if taken in self._waiting:
            del self._waiting[taken]
            self._begin(taken.connection)

    def _begin(self, connection: socket.socket) -> None:
        """Give a connection its protocol."""
        task = self._loop.create_task(self._connect(connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            await self._loop.connect_accepted_socket(self._make_protocol, connection)


@dataclass(eq=False)
class _Taken:
    """A connection that was taken, and waits for its turn to be served."""

    connection: socket.socket
    begin: "Callable[[_Taken], None]"

    def serve(self) -> bool:
        """Give it its protocol; that is not costly."""
        self.begin(self)
        return False
