"""A request's head is bounded before anybody has looked at a key, and a large one holds nobody up."""

import contextlib
import json
import re
import socket
import threading
import time
from collections.abc import Iterable

import httpx
import pytest

from api.metrics.log_limit import LINES_PER_S
from tests.support.stack import Stack, memory_bytes

pytestmark = pytest.mark.integration

MIB = 1 << 20
START = b"POST /predict HTTP/1.1\r\nHost: localhost\r\n"


def send(stack: Stack, pieces: Iterable[bytes]) -> bytes:
    """What comes back for raw bytes, all of them sent as far as the other side takes them."""
    with socket.create_connection(("127.0.0.1", stack.port), timeout=30) as connection:
        with contextlib.suppress(ConnectionError, TimeoutError):
            for piece in pieces:
                connection.sendall(piece)
        received = b""
        with contextlib.suppress(ConnectionError):
            while piece := connection.recv(65536):
                received += piece
        return received


def error_of(reply: bytes) -> tuple[int, str]:
    head, _, body = reply.partition(b"\r\n\r\n")
    error = json.loads(body)["error"]
    assert set(error) == {"code", "message", "type", "param", "request_id"}
    assert f"x-request-id: {error['request_id']}".encode() in head
    return int(head.split()[1]), error["code"]


@pytest.mark.parametrize(
    ("head", "status", "code"),
    [
        (START + b"X-Large: " + b"a" * 40_000 + b"\r\n\r\n", 431, "headers_too_large"),
        (START + b"X-Large: " + b"a" * 40_000, 431, "headers_too_large"),
        (START + b"X-Name" + b"a" * 40_000 + b": b\r\n\r\n", 431, "headers_too_large"),
        (START + b"".join(b"X-%d: a\r\n" % n for n in range(200)) + b"\r\n", 431, "headers_too_large"),
        (START + b"a:\r\n" * 200 + b"\r\n", 431, "headers_too_large"),
        (b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414, "url_too_long"),
        (b"GET /?" + b"a" * 40_000, 414, "url_too_long"),
        (b"\x16\x03\x01\x02\x00", 400, "bad_request"),
        (b"GET / HTTP/1.1\r\nHost localhost\r\n\r\n", 400, "bad_request"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nhost: evil.example\r\n\r\n", 400, "bad_request"),
    ],
    ids=lambda value: str(value)[-24:],
)
def test_a_head_that_is_too_large_or_none_is_refused_in_the_one_shape(
    stack: Stack, head: bytes, status: int, code: str
) -> None:
    assert error_of(send(stack, [head])) == (status, code)
    assert error_of(send(stack, (head[at : at + 1_000] for at in range(0, len(head), 1_000)))) == (status, code)


def request(path: str, body: str = "") -> bytes:
    """A request for JSON of `path`: a GET, or a POST where it has a body."""
    if not body:
        return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    length = len(body.encode())
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}"
    return f"{head}\r\n\r\n{body}".encode()


def answers_in(received: bytes) -> list[bytes]:
    """The answers that came on one connection."""
    return re.split(rb"(?=HTTP/1\.1 \d{3} )", received)[1:]


@pytest.mark.parametrize(
    "requests",
    [
        [request("/health")],
        [request("/predict", '{"text": "글"}')],
        [request("/predict", '{"text": "글", "details": true}')],
        [request("/predict", '{"text": "글"}'), request("/health"), request("/predict", '{"text": "글"}')],
    ],
    ids=["framework", "direct", "options", "several"],
)
@pytest.mark.parametrize(
    ("rest", "status", "code"),
    [
        (b"no HTTP\r\n\r\n", 400, "bad_request"),
        (b"\x16\x03\x01\x02\x00", 400, "bad_request"),
        (START + b"X: " + b"a" * 80_000, 431, "headers_too_large"),
    ],
    ids=["garbage", "tls", "large"],
)
def test_requests_before_what_is_none_are_answered_before_it_is_refused(
    stack: Stack, requests: list[bytes], rest: bytes, status: int, code: str
) -> None:
    """The second time, the server knows the heads."""
    for _ in range(2):
        *good, bad = answers_in(send(stack, [b"".join(requests) + rest]))

        assert [answer[:12] for answer in good] == [b"HTTP/1.1 200"] * len(requests)
        assert error_of(bad) == (status, code)


def test_garbage_that_comes_while_a_request_is_answered_does_not_cost_its_answer(stack: Stack) -> None:
    with socket.create_connection(("127.0.0.1", stack.port), timeout=30) as connection:
        for piece in (request("/predict", '{"text": "글"}'),) * 2:
            connection.sendall(piece)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(piece)
        connection.sendall(b"no HTTP\r\n\r\n")
        received = b""
        while more := connection.recv(65536):
            received += more
    good, bad = answers_in(received)
    assert good.startswith(b"HTTP/1.1 200 ")
    assert error_of(bad) == (400, "bad_request")


def test_a_usual_head_is_taken_at_once_or_piece_by_piece(stack: Stack) -> None:
    body = '{"text": "글"}'.encode()
    head = (
        START
        + b"Connection: close\r\nContent-Type: application/json\r\nCookie: " + b"c" * 20_000 + b"\r\n"
        + b"".join(b"X-%d: a\r\n" % n for n in range(80))
        + b"Content-Length: %d\r\n\r\n" % len(body)
    )  # fmt: skip
    for step in (1 << 20, 700):
        pieces = (head + body)[::1]
        reply = send(stack, (pieces[at : at + step] for at in range(0, len(pieces), step)))
        assert reply.startswith(b"HTTP/1.1 200 "), reply[:200]


def test_a_large_body_and_requests_on_one_connection_are_no_heads(stack: Stack) -> None:
    with httpx.Client(base_url=stack.url) as client:
        for _ in range(5):
            answer = client.post("/predict", json={"texts": [7], "more": "가" * MIB}, timeout=60)
            assert (answer.status_code, answer.json()["error"]["param"]) == (422, "more")
    one = b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 900 + b"\r\n\r\n"
    last = one.replace(b"X: ", b"Connection: close\r\nX: ")
    assert send(stack, [one * 100 + last]).count(b"200 OK") == 101


def test_what_comes_behind_a_body_is_bounded_and_is_no_header_of_the_request(stack: Stack) -> None:
    body = '{"text": "글"}'.encode()
    start = (
        START + b"Connection: close\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"%x\r\n" % len(body) + body + b"\r\n0\r\n"
    )  # fmt: skip

    assert send(stack, [start + b"X-Request-ID: trailer\r\n\r\n"]).startswith(b"HTTP/1.1 200 ")
    assert b"trailer" not in send(stack, [start + b"X-Request-ID: trailer\r\n\r\n"])
    before = memory_bytes(stack.api.pid)
    reply = send(stack, [start, *([b"X: " + b"a" * MIB + b"\r\n"] * 50)])
    assert b" 200 " not in reply[:20]
    extension = START + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"x" * (50 * MIB)
    assert b" 200 " not in send(stack, [extension])[:20]
    assert memory_bytes(stack.api.pid) - before < 20 * MIB


def test_large_heads_neither_hold_up_the_others_nor_stay_in_memory(stack: Stack) -> None:
    """Three headers of 100 MB held /health up for 11 s; 20 MB of small ones took 312 MB."""
    before = memory_bytes(stack.api.pid)
    large = [START + b"X: ", *([b"a" * MIB] * 100)]
    small = [START, *([b"a:\r\n" * (MIB // 4)] * 20)]
    replies: list[bytes] = []
    attackers = [
        threading.Thread(target=lambda pieces=pieces: replies.append(send(stack, pieces)))
        for pieces in (large, large, large, small)
    ]
    for attacker in attackers:
        attacker.start()
    while any(attacker.is_alive() for attacker in attackers):
        assert httpx.get(f"{stack.url}/health", timeout=60).status_code == 200

    assert [error_of(reply) for reply in replies] == [(431, "headers_too_large")] * 4
    assert memory_bytes(stack.api.pid, "VmHWM") - before < 20 * MIB


def test_a_flood_of_what_is_no_http_writes_a_bounded_number_of_log_lines(stack: Stack) -> None:
    before = stack.api.log.read_text().count("Invalid HTTP request")
    began = time.monotonic()
    for _ in range(600):
        send(stack, [b"no HTTP\r\n\r\n"])
    seconds = int(time.monotonic() - began) + 2
    assert stack.api.log.read_text().count("Invalid HTTP request") - before <= LINES_PER_S * seconds
