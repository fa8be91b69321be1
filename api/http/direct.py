"""Requests that are answered straight from their connection, without ASGI and the framework in between.

For one route: the framework would cost as much as all the rest of the service. Whatever is not plain about a request is
left to the framework, before anything of it has been counted. So every error and option has one place.
"""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Protocol

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from api.http import bodies
from api.http.caller import SCOPE_KEY, Presence
from api.http.known_heads import Head

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}

Headers = list[tuple[bytes, bytes]]


class Exchange(Protocol):
    """One request and its answer."""

    head: Head

    @property
    def client(self) -> str:
        """The address that the request came from, as proxies that are trusted say it."""

    @property
    def presence(self) -> Presence:
        """Whether the client still listens."""

    @property
    def body(self) -> bytes | bytearray:
        """The whole body."""

    def forget_body(self) -> None:
        """Free what the body holds."""

    def answer(self, status: int, headers: bytes, content: bytes) -> None:
        """Send JSON; `headers` are whole lines. A client that has left gets nothing."""


class ParsedExchange:
    """An exchange that may still become the framework's: `app` is who answers what is not plain."""

    __slots__ = ("app", "client", "cycle", "head")

    def __init__(self, cycle: RequestResponseCycle, app: ASGI3Application, head: Head, client: str) -> None:
        self.cycle = cycle
        self.app = app
        self.head = head
        self.client = client

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
            cycle.transport.write(_answer_bytes(cycle, status, headers, content))
            if not cycle.keep_alive:
                cycle.transport.close()
            cycle.on_response()
        # As uvicorn does: the callback would keep the connection.
        cycle.on_response = _do_nothing


class KnownExchange:
    """An exchange whose head was known, so that no parser has seen it. It stands where uvicorn has its cycle."""

    __slots__ = (
        "_on_answer", "body", "client", "default_headers", "disconnected", "head", "keep_alive", "presence",
        "response_complete", "transport",
    )  # fmt: skip

    # What the connection looks at, or wakes, of a cycle whose body is still to come.
    more_body = waiting_for_100_continue = response_started = False
    message_event = asyncio.Event()

    def __init__(self, head: Head, body: bytes, client: str, presence: Presence, default_headers: Headers) -> None:
        self.head = head
        self.body = body
        self.client = client
        self.presence = presence
        self.default_headers = default_headers
        self.keep_alive = not head.is_last
        self.disconnected = False
        self.response_complete = False
        self.transport: asyncio.Transport | None = None
        self._on_answer: Callable[[], None] = _do_nothing

    def begin_on(self, transport: asyncio.Transport, on_answer: Callable[[], None]) -> None:
        """Say where the answer goes, and what to call behind it."""
        self.transport = transport
        self._on_answer = on_answer

    def forget_body(self) -> None:
        """Free what the body holds."""
        self.body = b""

    def detach(self) -> None:
        """Keep nothing that keeps the connection."""
        self.transport, self._on_answer = None, _do_nothing

    def answer(self, status: int, headers: bytes, content: bytes) -> None:
        """Send JSON; `headers` are whole lines. A client that has left gets nothing."""
        self.response_complete = True
        transport, on_answer = self.transport, self._on_answer
        self.detach()
        if transport is None or self.disconnected:
            return
        transport.write(_answer_bytes(self, status, headers, content))
        if not self.keep_alive:
            transport.close()
        on_answer()


class DirectService(Protocol):
    """Answers the requests that it takes."""

    def take(self, cycle: RequestResponseCycle, app: ASGI3Application) -> ParsedExchange | None:
        """The request, if by its head it may be answered here."""

    def begin(self, exchange: Exchange) -> bool:
        """Answer a request whose body is there, now or later; False if it is the framework's after all."""


def _answer_bytes(exchange: RequestResponseCycle | KnownExchange, status: int, headers: bytes, content: bytes) -> bytes:
    """All bytes of an answer."""
    defaults = b"".join([b"%b: %b\r\n" % header for header in exchange.default_headers])
    closing = b"" if exchange.keep_alive else b"connection: close\r\n"
    return b"%b%b%bcontent-length: %d\r\ncontent-type: application/json\r\n%b\r\n%b" % (
        _STATUS_LINES[status], defaults, headers, len(content), closing, content,
    )  # fmt: skip


def _do_nothing() -> None:
    pass
