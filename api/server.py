"""uvicorn's server, with an end that comes in time and a start that takes crowds of connections."""

import asyncio
import os
import signal
import socket
import sys
import threading
from typing import Any

import uvicorn

from api.http.accepting import Accepting
from api.http.traffic import CROWD, Traffic
from shared.log import get_logger

log = get_logger(__name__)

# Time for the rest of the exit after everything is closed, of a short SHUTDOWN_TIMEOUT_S a quarter.
EXIT_GRACE_S = 1.0
# Connections that are taken in one round of the event loop, before `Accepting` takes those that still wait. Each
# listener is given to the server so many times in a row.
ACCEPTS_PER_ROUND = CROWD


class OrderlyServer(uvicorn.Server):
    """Ends in time, even if a thread hangs.

    Python waits for every thread at exit, and a name lookup cannot be interrupted: a name server that does not answer
    would delay the exit until the supervisor kills the process.
    """

    def __init__(self, config: uvicorn.Config, traffic: Traffic, shutdown_timeout_s: float) -> None:
        super().__init__(config)
        self._traffic = traffic
        self._exit_s = exit_s_of(shutdown_timeout_s)
        # Before whoever gave it that time would kill it.
        self._leave_s = shutdown_timeout_s - self._exit_s / 2
        self._accepting: Accepting | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and take connections at once when many come."""
        await super().startup(sockets)
        self._accepting = Accepting((sockets or [])[::ACCEPTS_PER_ROUND], self._make_protocol)
        self._traffic.on_crowd = self._accepting.take_waiting

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let current requests finish, then close everything."""
        _exit_after(self._leave_s)
        self._traffic.on_crowd = None
        self._traffic.is_ending = True
        if self._accepting is not None:
            # Nobody else may take those that wait, and the system would reset them.
            await self._accepting.take_last()
            self._accepting.close()
        await super().shutdown(sockets)
        _exit_after(self._exit_s / 2)

    def _make_protocol(self) -> asyncio.Protocol:
        make: Any = self.config.http_protocol_class
        protocol: asyncio.Protocol = make(self.config, self.server_state, self.lifespan.state)
        return protocol


def exit_s_of(shutdown_timeout_s: float) -> float:
    """How much of the time for a shutdown is for the exit; requests have the rest."""
    return min(EXIT_GRACE_S, shutdown_timeout_s / 4)


def _exit_after(seconds: float) -> None:
    """End the process after `seconds`, unless it has ended by then."""

    def leave() -> None:
        log.warning("exit_held_up", threads=[thread.name for thread in threading.enumerate() if not thread.daemon])
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)

    timer = threading.Timer(seconds, leave)
    timer.daemon = True
    timer.start()


def end_in_order(server: uvicorn.Server) -> None:
    """Make SIGTERM and SIGINT end this process with exit code 0.

    uvicorn handles the signals while it serves. After its shutdown it raises the signal again from inside its event
    loop, where exiting can hang in uvloop for ever, and with an exit code that means failure.
    """

    def leave_unless_served(*_: object) -> None:
        if not server.started:
            _exit_after(EXIT_GRACE_S)
            sys.exit(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave_unless_served)
