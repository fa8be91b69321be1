"""HTTP/1.1 as uvicorn and httptools read it, with a bound on what comes before and behind a body.

httptools puts a header together piece by piece and uvicorn keeps every one, both before anybody has looked at a key: a
header of 100 MB would take seconds of the event loop, and many small ones the memory of the process.
"""

import asyncio
import uuid
from typing import Any

import msgspec
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from api.http.caller import SCOPE_KEY, Presence
from api.http.errors import ErrorBody, type_of

# How long what a refused client goes on sending is read and dropped: closed at once, it would not see the answer.
LINGER_S = 2.0
MALFORMED, URL_TOO_LONG, HEADERS_TOO_LARGE = 400, 414, 431


class HeadLimits(msgspec.Struct, frozen=True):
    """What a request may have before its body, and again behind it."""

    max_bytes: int
    max_headers: int


class _RefusedError(Exception):
    """Raised inside a callback to make the parser stop."""


class BoundedProtocol(HttpToolsProtocol):
    """Refuses a request head that is too large with 431, or 414 where it is the address, and closes the connection."""

    limits = HeadLimits(max_bytes=32 * 1024, max_headers=100)

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._presence = Presence()
        self._is_in_head = True
        # Since the head began, or since the last byte of a body.
        self._bytes_without_body = 0
        self._header_count = 0
        self._is_refused = False

    def data_received(self, data: bytes) -> None:
        """Parse no more of a head than it may have, and say so."""
        if self._is_refused:
            return
        room = max(1, self.limits.max_bytes - self._bytes_without_body) if self._is_in_head else len(data)
        for piece in (data[:room], data[room:]):
            if not piece or self._is_refused:
                return
            self._bytes_without_body += len(piece)
            super().data_received(piece)
            if self._bytes_without_body >= self.limits.max_bytes and not self._is_refused:
                self._refuse(HEADERS_TOO_LARGE if self.headers or not self._is_in_head else URL_TOO_LONG)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever works for this client."""
        super().connection_lost(exc)
        self._presence.lose()

    def on_message_begin(self) -> None:
        """Count anew, and let the request know of its connection."""
        super().on_message_begin()
        self._header_count = 0
        self.scope[SCOPE_KEY] = self._presence  # type: ignore[literal-required]

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep one header; what comes behind a body is none of the request's."""
        self._header_count += 1
        if self._header_count > self.limits.max_headers:
            raise _RefusedError
        if self._is_in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Hand the request over."""
        self._is_in_head = False
        self._bytes_without_body = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body. Its size is bounded by whoever reads it."""
        self._bytes_without_body = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Wait for the next head."""
        super().on_message_complete()
        self._is_in_head = True
        self._bytes_without_body = 0

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  uvicorn's words, not ours
        """Answer what is no HTTP, or has too many headers."""
        self._refuse(HEADERS_TOO_LARGE if self._header_count > self.limits.max_headers else MALFORMED)

    def _refuse(self, status: int) -> None:
        self._is_refused = True
        if self.cycle is not None and not self.cycle.response_complete:
            # The answer to an earlier request, or to this one, is on its way and cannot be mixed with another.
            self.transport.close()
            return
        self.transport.write(_answer(status, self.limits))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_S, self.transport.abort)


def _answer(status: int, limits: HeadLimits) -> bytes:
    size, count = f"{limits.max_bytes:,} bytes (MAX_HEADER_BYTES)", f"{limits.max_headers} (MAX_HEADERS)"
    code, message = {
        MALFORMED: ("bad_request", "this is not HTTP/1.1 as it is written down in RFC 9112"),
        URL_TOO_LONG: ("url_too_long", f"the address has more than {size}"),
        HEADERS_TOO_LARGE: ("headers_too_large", f"the headers have more than {size}, or are more than {count}"),
    }[status]
    request_id = uuid.uuid4().hex
    body = msgspec.json.encode({"error": ErrorBody(code, message, type_of(status), None, request_id)})
    lines = [
        b"content-type: application/json",
        f"content-length: {len(body)}".encode(),
        f"x-request-id: {request_id}".encode(),
        b"connection: close",
    ]
    return STATUS_LINE[status] + b"\r\n".join([*lines, b"", body])


def bounded_protocol(limits: HeadLimits) -> type[BoundedProtocol]:
    """The protocol with these limits; uvicorn takes a class."""
    return type("BoundedProtocol", (BoundedProtocol,), {"limits": limits})
