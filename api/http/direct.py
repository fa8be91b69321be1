"""Requests that are answered straight from their connection, without ASGI and the framework in between.

For one route: the framework would cost as much as all the rest of the service. Whatever is not plain about a request is
left to the framework, before anything of it has been counted. So every error and option has one place.
"""

from http import HTTPStatus
from typing import Protocol

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from api.http import bodies
from api.http.caller import SCOPE_KEY, Presence

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}


class Exchange:
    """One request and its answer. `headers` has each name once; `app` is who answers what is not plain."""

    __slots__ = ("app", "cycle", "headers")

    def __init__(self, cycle: RequestResponseCycle, app: ASGI3Application, headers: dict[bytes, bytes]) -> None:
        self.cycle = cycle
        self.app = app
        self.headers = headers

    @property
    def presence(self) -> Presence:
        """Whether the client still listens."""
        presence: Presence = self.cycle.scope[SCOPE_KEY]  # type: ignore[literal-required]  # the protocol put it there
        return presence

    @property
    def body(self) -> bytearray:
        """The whole body."""
        return self.cycle.body

    def forget_body(self) -> None:
        """Free what the body holds."""
        self.cycle.body = bytearray()
        bodies.release(self.cycle.scope)

    def answer(self, status: int, headers: bytes, content: bytes) -> None:
        """Send JSON; `headers` are whole lines. A client that has left gets nothing."""
        cycle = self.cycle
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.disconnected:
            defaults = b"".join(b"%b: %b\r\n" % header for header in cycle.default_headers)
            closing = b"" if cycle.keep_alive else b"connection: close\r\n"
            cycle.transport.write(
                b"%b%b%bcontent-length: %d\r\ncontent-type: application/json\r\n%b\r\n%b"
                % (_STATUS_LINES[status], defaults, headers, len(content), closing, content)
            )
            if not cycle.keep_alive:
                cycle.transport.close()
            cycle.on_response()
        # As uvicorn does: the callback would keep the connection.
        cycle.on_response = _do_nothing


class DirectService(Protocol):
    """Answers the requests that it takes."""

    def take(self, cycle: RequestResponseCycle, app: ASGI3Application) -> Exchange | None:
        """The request, if by its head it may be answered here."""

    def begin(self, exchange: Exchange) -> bool:
        """Answer a request whose body is there, now or later; False if it is the framework's after all."""


def _do_nothing() -> None:
    pass
