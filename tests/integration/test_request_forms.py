"""Requests as RFC 9112 has them and as it does not: each is answered as it says, and the next one is not misread."""

import re
import socket

import pytest

from tests.support.stack import Stack

pytestmark = pytest.mark.integration

HOST = b"Host: localhost\r\n"
BODY = '{"text": "글"}'.encode()
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
START = b"POST /predict HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
NEXT = b"GET /ready HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"


def get(target: bytes, headers: bytes = HOST, method: bytes = b"GET", version: bytes = b"HTTP/1.1") -> bytes:
    return b"%b %b %b\r\n%b\r\n" % (method, target, version, headers)


def post(headers: bytes, body: bytes = BODY) -> bytes:
    return START + headers + b"\r\n" + body


# The statuses of the answers to a request and to the one behind it, which is not read where the connection ends.
FORMS: dict[str, tuple[bytes, list[int]]] = {
    "no host": (get(b"/health", b""), [400]),
    "two hosts": (get(b"/health", HOST + HOST), [400]),
    "a host with a blank": (get(b"/health", b"Host: local host\r\n"), [400]),
    "a host with a path": (get(b"/health", b"Host: localhost/x\r\n"), [400]),
    "an address of IPv6": (get(b"/health", b"Host: [::1]:8000\r\n"), [200, 200]),
    "an empty host": (get(b"/health", b"Host:\r\n"), [200, 200]),
    "HTTP/1.0 without a host": (get(b"/health", b"", version=b"HTTP/1.0"), [200]),
    "HTTP/1.0 that would stay": (get(b"/health", b"Connection: keep-alive\r\n", version=b"HTTP/1.0"), [200]),
    "HTTP/2.0": (get(b"/health", version=b"HTTP/2.0"), [400]),
    "HTTP/1.2": (get(b"/health", version=b"HTTP/1.2"), [400]),
    "no version": (b"GET /health\r\n", [400]),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400]),
    "chunks": (post(b"Transfer-Encoding: chunked\r\n", CHUNKS), [200, 200]),
    "chunks and a length": (post(LENGTH + b"Transfer-Encoding: chunked\r\n", CHUNKS), [400]),
    "a length and chunks": (post(b"Transfer-Encoding: chunked\r\n" + LENGTH, CHUNKS), [400]),
    "chunks of what is packed": (post(b"Transfer-Encoding: gzip, chunked\r\n", CHUNKS), [400]),
    "a coding and chunks in two lines": (
        post(b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", CHUNKS), [400],
    ),
    "chunks of chunks": (post(b"Transfer-Encoding: chunked, chunked\r\n", CHUNKS), [400]),
    "what has no end": (post(b"Transfer-Encoding: gzip\r\n"), [400]),
    "chunks of another name": (post(b"Transfer-Encoding: xchunked\r\n"), [400]),
    "chunks in HTTP/1.0": (
        post(b"Transfer-Encoding: chunked\r\n", CHUNKS).replace(b"HTTP/1.1", b"HTTP/1.0"), [200],
    ),
    "chunks that end in LF": (post(b"Transfer-Encoding: chunked\r\n", CHUNKS.replace(b"\r\n", b"\n", 1)), [400]),
    "two lengths": (post(LENGTH + LENGTH), [400]),
    "a list of lengths": (post(b"Content-Length: %d, %d\r\n" % (len(BODY), len(BODY))), [400]),
    "a length with a sign": (post(b"Content-Length: +%d\r\n" % len(BODY)), [400]),
    "a negative length": (post(b"Content-Length: -1\r\n"), [400]),
    "an empty length": (post(b"Content-Length:\r\n"), [400]),
    "a blank before the colon": (post(b"Content-Length : %d\r\n" % len(BODY)), [400]),
    "a folded line": (get(b"/health", HOST + b"X-A: b\r\n c\r\n"), [400]),
    "a folded first line": (get(b"/health", b" Host: localhost\r\n"), [400]),
    "LF alone": (b"GET /health HTTP/1.1\nHost: localhost\n\n", [400]),
    "LF alone behind a header": (b"GET /health HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n", [400]),
    "CR alone": (get(b"/health", HOST + b"X: a\rb\r\n"), [400]),
    "NUL": (get(b"/health", HOST + b"X: a\x00b\r\n"), [400]),
    "a header without a name": (get(b"/health", HOST + b": b\r\n"), [400]),
    "an empty line first": (b"\r\n" + get(b"/health"), [200, 200]),
    "an absolute target": (get(b"http://localhost/health"), [200, 200]),
    "an absolute target of another host": (get(b"http://evil.example/health"), [400]),
    "an absolute target alone": (get(b"http://localhost/health", b""), [400]),
    "a host for a target": (get(b"localhost:80"), [400]),
    "no slash": (get(b"health"), [400]),
    "a fragment": (get(b"/health#x"), [400]),
    "a blank in the target": (get(b"/he alth"), [400]),
    "what is no ASCII": (get("/글".encode()), [400]),
    "a path in percents": (get(b"/%68ealth"), [200, 200]),
    "a slash in percents": (get(b"/jobs%2Fx"), [404, 200]),
    "NUL in percents": (get(b"/jobs/%00"), [404, 200]),
    "no UTF-8 in percents": (get(b"/jobs/%ff"), [404, 200]),
    "percents of nothing": (get(b"/%zz"), [404, 200]),
    "dots": (get(b"/x/../health"), [404, 200]),
    "dots to a file": (get(b"/console/../../pyproject.toml"), [404, 200]),
    "dots in percents": (get(b"/%2e%2e/health"), [404, 200]),
    "two slashes": (get(b"//evil.example/x"), [404, 200]),
    "12,000 characters": (get(b"/health?" + b"a" * 12_000), [200, 200]),
    "an expectation": (post(LENGTH + b"Expect: 100-continue\r\n"), [100, 200, 200]),
    "an expectation in capitals": (post(LENGTH + b"Expect: 100-Continue\r\n"), [100, 200, 200]),
    "an expectation that is refused": (
        post(LENGTH + b"Expect: 100-continue\r\n").replace(b"/predict", b"/nothing"), [404, 200],
    ),
    "another expectation": (post(LENGTH + b"Expect: 200-ok\r\n"), [417]),
    "two expectations": (post(LENGTH + b"Expect: 100-continue, x\r\n"), [417]),
    "an expectation in HTTP/1.0": (
        post(LENGTH + b"Expect: 100-continue\r\n").replace(b"HTTP/1.1", b"HTTP/1.0"), [200],
    ),
    "HEAD": (get(b"/health", method=b"HEAD"), [200, 200]),
    "HEAD of nothing": (get(b"/nothing", method=b"HEAD"), [404, 200]),
    "OPTIONS": (get(b"/predict", method=b"OPTIONS"), [405, 200]),
    "OPTIONS of everything": (get(b"*", method=b"OPTIONS"), [404, 200]),
    "PROPFIND": (get(b"/predict", method=b"PROPFIND"), [405, 200]),
    "a method that is none": (get(b"/predict", method=b"FROB"), [400]),
    "a method in small letters": (get(b"/health", method=b"get"), [400]),
    "a method in both": (get(b"/health", method=b"Get"), [400]),
    "CONNECT": (get(b"localhost:80", method=b"CONNECT"), [400]),
    "a body with GET": (get(b"/health", HOST + LENGTH) + BODY, [200, 200]),
    "no body with POST": (post(b"", b""), [422, 200]),
    "an offer of HTTP/2": (
        post(LENGTH + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n"), [200, 200],
    ),
    "an offer of a web socket": (
        get(b"/health", HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"),
        [200, 200],
    ),
    "the last request": (get(b"/health", HOST + b"Connection: keep-alive, close\r\n"), [200]),
}  # fmt: skip


@pytest.mark.parametrize(("data", "statuses"), FORMS.values(), ids=FORMS)
def test_a_request_is_answered_as_its_form_wants_and_so_is_the_next(
    stack: Stack, data: bytes, statuses: list[int]
) -> None:
    """Twice, since the server remembers heads."""
    for _ in range(2):
        received = b""
        with socket.create_connection(("127.0.0.1", stack.port), timeout=30) as connection:
            connection.sendall(data + NEXT)
            while piece := connection.recv(65536):
                received += piece

        assert [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)] == statuses
