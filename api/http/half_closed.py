"""Clients that end their side of the connection behind a request, as `nc -N` and some proxies do, and wait.

A client that hangs up looks the same: both send a FIN, and only what is sent to it then shows which it is. So a client
whose answer takes longer gets `100 Continue` first, which every client of HTTP/1.1 must pass over (RFC 9110, 15.2): the
system of one that has hung up refuses it, and nobody works for it any more.
"""

import asyncio
import socket
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from api.http.in_turns import InTurnsProtocol

# An answer that is sent so soon needs no such question. Most are.
ASK_AFTER_S = 0.1
# How soon it is looked whether the client refused it, and how seldom at last.
FIRST_LOOK_S, LAST_LOOK_S = 0.05, 1.0
_INTERIM = STATUS_LINE[100] + b"\r\n"


class HalfClosedProtocol(InTurnsProtocol):
    """Answers what came whole before the client ended its side, and closes the connection behind it."""

    _answered: RequestResponseCycle | None
    _refusal_due: int | None

    def eof_received(self) -> bool | None:  # type: ignore[override]  # asyncio keeps a connection open for True
        """Stay if an answer is due and has not begun; an answer that ends by itself goes on until it is read."""
        answered = self._answered
        if self._is_answered() or answered is None or not self._has_whole_request():
            return None
        if answered.response_started and not self.transport.get_write_buffer_size():
            return None
        if self._refusal_due is None:
            self.cycle.keep_alive = False
        self.loop.call_later(ASK_AFTER_S, self._ask_whether_client_is_there)
        return True

    def _is_answered(self) -> bool:
        """Whether no request waits for its answer."""
        raise NotImplementedError  # the protocol that this is a part of knows; it is never used alone

    def _has_whole_request(self) -> bool:
        """Whether the newest request has its whole body, or what is behind it will be refused."""
        raise NotImplementedError  # the protocol that this is a part of knows; it is never used alone

    def _takes_interim(self) -> bool:
        """Whether the client that waits speaks HTTP/1.1: one of HTTP/1.0 knows no answer before the answer."""
        answered = self._answered
        return answered is not None and answered.scope.get("http_version") == "1.1"

    def _ask_whether_client_is_there(self) -> None:
        if self._is_answered() or self.transport.is_closing() or self._answered is None:
            return
        if self._takes_interim() and not self._answered.response_started:
            self.transport.write(_INTERIM)
        self.loop.call_later(FIRST_LOOK_S, self._look_whether_client_is_there, FIRST_LOOK_S)

    def _look_whether_client_is_there(self, waited_s: float) -> None:
        if self._is_answered() or self.transport.is_closing():
            return
        if _has_fault(self.transport):
            self.transport.abort()
            return
        wait_s = min(2 * waited_s, LAST_LOOK_S)
        self.loop.call_later(wait_s, self._look_whether_client_is_there, wait_s)


def _has_fault(transport: asyncio.Transport) -> bool:
    """Whether the other side has refused what was sent. The event loop, which reads no more, does not see it."""
    connection: Any = transport.get_extra_info("socket")
    return connection is not None and connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0
