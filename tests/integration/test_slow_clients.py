"""Clients that send or read slowly, or not at all, hold nothing that others need, and are told why."""

import contextlib
import json
import select
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.stack import Stack, memory_bytes, running_stack, wait_until

pytestmark = pytest.mark.integration

MIB = 1 << 20
MAX_CONNECTIONS = 40
POST = b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
PREDICT = POST % (b"/predict", b"application/json", 512 * 1024)
UPLOAD = POST % (b"/jobs", b"text/csv", 100_000)


@pytest.fixture(scope="module")
def stack(echo_bundle: Path) -> Iterator[Stack]:
    limits = {
        "max_connections": MAX_CONNECTIONS,
        "header_timeout_s": 2,
        "keep_alive_s": 4,
        "send_stall_s": 2,
        "body_timeout_s": 4,
        "max_body_bytes": 512 * 1024,
        "max_inflight_body_bytes": 2 * MIB,
        "max_uploads": 2,
    }
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as folder,
        running_stack(Path(folder), echo_bundle, **limits) as running,
    ):
        yield running


class Clients:
    """Raw connections, closed at the end of the test."""

    def __init__(self, stack: Stack) -> None:
        self._port = stack.port
        self._open = contextlib.ExitStack()

    def connect(self, data: bytes = b"") -> socket.socket:
        connection = self._open.enter_context(socket.create_connection(("127.0.0.1", self._port), timeout=30))
        with contextlib.suppress(ConnectionError):
            connection.sendall(data)
        return connection

    def close(self) -> None:
        self._open.close()


@pytest.fixture
def clients(stack: Stack) -> Iterator[Clients]:
    made = Clients(stack)
    yield made
    made.close()


def read_to_end(connection: socket.socket) -> bytes:
    received = b""
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65536):
            received += piece
    return received


def code_of(reply: bytes) -> tuple[int, str]:
    head, _, body = reply.partition(b"\r\n\r\n")
    error = json.loads(body)["error"]
    assert set(error) == {"code", "message", "type", "param", "request_id"}
    return int(head.split()[1]), error["code"]


def predict(stack: Stack) -> int:
    return httpx.post(f"{stack.url}/predict", json={"text": "글"}, timeout=30).status_code


def test_a_head_that_is_not_completed_is_refused_and_a_silent_connection_closed(stack: Stack, clients: Clients) -> None:
    half, silent = clients.connect(b"GET /health HTTP/1.1\r\nHost: loc"), clients.connect()
    used = clients.connect(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nGET /hea")

    assert code_of(read_to_end(half)) == (408, "request_timeout")
    assert read_to_end(silent) == b""
    answers = read_to_end(used)
    assert answers.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 408 " in answers


def test_a_body_that_is_not_completed_is_refused_by_its_route(stack: Stack, clients: Clients) -> None:
    stalled = clients.connect(PREDICT + b'{"text": ')
    trickling = clients.connect(PREDICT)
    replies: list[bytes] = []
    reader = threading.Thread(target=lambda: replies.append(read_to_end(trickling)))
    reader.start()
    while reader.is_alive():
        with contextlib.suppress(OSError):
            trickling.sendall(b" ")
        time.sleep(0.2)

    assert [code_of(read_to_end(stalled)), code_of(replies[0])] == [(408, "request_timeout")] * 2
    assert [event["code"] for event in stack.events() if event.get("error") == "request_timeout"] == [408, 408]


def test_uploads_at_a_byte_a_second_give_way_to_one_that_comes(stack: Stack, clients: Clients) -> None:
    slow = [clients.connect(UPLOAD + b"text\n") for _ in range(2)]
    wait_until(lambda: predict(stack) == 200, "an answer")

    def upload() -> int:
        file = "text\n댓글\n".encode() * 100
        return httpx.post(
            f"{stack.url}/jobs", content=file, headers={"Content-Type": "text/csv"}, timeout=30
        ).status_code

    assert [upload() for _ in range(3)] == [202] * 3
    # One place was enough: the other one is still there.
    (displaced,), _, _ = select.select(slow, [], [], 30)
    assert code_of(read_to_end(displaced)) == (429, "overloaded")


def test_many_unfinished_bodies_take_a_bounded_room_and_give_it_back(stack: Stack, clients: Clients) -> None:
    before = memory_bytes(stack.api.pid)
    unfinished = [clients.connect(PREDICT + b'{"text": "' + b"a" * 500_000) for _ in range(MAX_CONNECTIONS - 5)]

    assert predict(stack) == 200
    assert memory_bytes(stack.api.pid, "VmHWM") - before < 12 * MIB
    codes = [code_of(read_to_end(connection)) for connection in unfinished]
    assert codes.count((429, "overloaded")) > MAX_CONNECTIONS // 2
    assert set(codes) == {(429, "overloaded"), (408, "request_timeout")}


def test_a_client_that_is_refused_while_it_sends_can_read_why(clients: Clients) -> None:
    start = POST.replace(b"Host", b"Connection: close\r\nHost") % (b"/predict", b"application/json", 4 * MIB)

    assert code_of(read_to_end(clients.connect(start + b" " * 4 * MIB))) == (413, "too_large")


def test_idle_connections_make_room_for_new_ones(stack: Stack, clients: Clients) -> None:
    with httpx.Client(base_url=stack.url, timeout=30) as known:
        assert known.get("/health").status_code == 200
        idle = [clients.connect(b"GET /hea" if number % 2 else b"") for number in range(3 * MAX_CONNECTIONS)]
        assert known.get("/health").status_code == 200
        assert predict(stack) == 200
    assert len(idle) > MAX_CONNECTIONS


def test_a_client_that_does_not_read_its_answers_is_cut_off(stack: Stack) -> None:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", stack.port))
        connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 400)

        def is_cut_off() -> bool:
            with contextlib.suppress(BlockingIOError):
                connection.send(b"\r\n", socket.MSG_DONTWAIT)
            return False

        with pytest.raises(ConnectionError):
            wait_until(is_cut_off, "the end of the connection", 50)  # before SEND_STALL_S's default, 60


def test_requests_sent_ahead_of_an_answer_are_bounded(stack: Stack, clients: Clients) -> None:
    before = memory_bytes(stack.api.pid)
    held = PREDICT + b" " * 512 * 1024  # answered in its turn
    ahead = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3_000
    replies = [read_to_end(clients.connect(held + ahead)) for _ in range(3)]

    assert max(reply.count(b"200 OK") for reply in replies) < 3_000
    assert memory_bytes(stack.api.pid) - before < 12 * MIB
    assert predict(stack) == 200
