"""Answers to what never becomes a request: the connection writes them itself, in the one shape of every error."""

import uuid

import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from api.http.errors import ErrorBody, type_of

MALFORMED, TOO_SLOW, URL_TOO_LONG, EXPECTATION_FAILED, HEADERS_TOO_LARGE, TOO_MANY = 400, 408, 414, 417, 431, 503
# Any request may get one of them, whatever its route.
REFUSALS = (MALFORMED, TOO_SLOW, URL_TOO_LONG, EXPECTATION_FAILED, HEADERS_TOO_LARGE, TOO_MANY)


class HeadLimits(msgspec.Struct, frozen=True):
    """What a request may have before its body, and again behind it."""

    max_bytes: int
    max_headers: int


def answer(status: int, limits: HeadLimits) -> bytes:
    """All bytes of an answer with this status; the connection ends behind it."""
    size, count = f"{limits.max_bytes:,} bytes (MAX_HEADER_BYTES)", f"{limits.max_headers} (MAX_HEADERS)"
    code, message = {
        MALFORMED: ("bad_request", "this is not HTTP/1.1 as it is written down in RFC 9112"),
        TOO_SLOW: ("request_timeout", "the headers were not complete in time (HEADER_TIMEOUT_S)"),
        URL_TOO_LONG: ("url_too_long", f"the address has more than {size}"),
        EXPECTATION_FAILED: ("expectation_failed", "of what `Expect` may ask for only 100-continue is done here"),
        HEADERS_TOO_LARGE: ("headers_too_large", f"the headers have more than {size}, or are more than {count}"),
        TOO_MANY: ("too_many_connections", "every connection is in use (MAX_CONNECTIONS); try again shortly"),
    }[status]
    request_id = uuid.uuid4().hex
    body = msgspec.json.encode({"error": ErrorBody(code, message, type_of(status), None, request_id)})
    lines = [
        b"content-type: application/json",
        f"content-length: {len(body)}".encode(),
        f"x-request-id: {request_id}".encode(),
        b"connection: close",
        *([b"retry-after: 1"] if status == TOO_MANY else []),
    ]
    return STATUS_LINE[status] + b"\r\n".join([*lines, b"", body])
