"""Clients that end their side of the connection behind a request, as `nc -N` does: some wait, and some have left."""

import json
import os
import re
import signal
import socket
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.metrics import samples, value
from tests.support.stack import Stack, running_stack, wait_until

pytestmark = pytest.mark.integration

NUMBERS = count()
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.fixture(scope="module")
def slow(echo_bundle: Path) -> Iterator[Stack]:
    """Each pass of the model takes longer than a client's close."""
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as folder,
        running_stack(Path(folder), echo_bundle, echo_pass_s=1.0) as running,
    ):
        yield running


def request(options: dict[str, Any] | None = None, version: str = "1.1", *, path: str = "/predict") -> bytes:
    """A request with a text that no other has: an answer that is remembered would not take long."""
    body = json.dumps({"text": f"글 {next(NUMBERS)}", **(options or {})}).encode()
    head = f"POST {path} HTTP/{version}\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body


@contextmanager
def half_closed(stack: Stack, data: bytes) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", stack.port), timeout=60) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        yield connection


def answers_to(stack: Stack, data: bytes) -> list[bytes]:
    """Every answer that comes until the server closes."""
    received = b""
    with half_closed(stack, data) as connection:
        while piece := connection.recv(65536):
            received += piece
    return re.split(rb"(?=HTTP/1\.1 \d{3} )", received)[1:]


def statuses(answers: list[bytes]) -> list[int]:
    return [int(answer.split()[1]) for answer in answers]


@pytest.mark.parametrize("options", [None, {"details": True}], ids=["direct", "framework"])
def test_a_client_that_ends_its_side_and_waits_is_answered_and_the_connection_closed(
    slow: Stack, options: dict[str, Any] | None
) -> None:
    """Twice: the second time, the server knows the head."""
    for _ in range(2):
        answers = answers_to(slow, request(options))
        assert statuses(answers) == [100, 200]
        assert answers[0] == INTERIM
        assert b"connection: close" in answers[1]


def test_a_client_of_http_1_0_gets_nothing_before_its_answer(slow: Stack) -> None:
    for _ in range(2):
        assert statuses(answers_to(slow, request(version="1.0"))) == [200]


def test_requests_sent_ahead_are_all_answered(slow: Stack) -> None:
    answers = answers_to(slow, request() + request({"details": True}) + request())
    assert [status for status in statuses(answers) if status != 100] == [200] * 3


def test_what_is_no_http_behind_a_request_is_refused_behind_its_answer(slow: Stack) -> None:
    answers = answers_to(slow, request() + b"no HTTP\r\n\r\n")
    assert [status for status in statuses(answers) if status != 100] == [200, 400]


def test_a_body_that_is_cut_off_gets_no_answer(slow: Stack) -> None:
    assert answers_to(slow, request()[:-3]) == []


def test_an_answer_that_comes_at_once_has_no_other_before_it(stack: Stack) -> None:
    assert statuses(answers_to(stack, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")) == [200]


def test_a_long_answer_comes_whole(stack: Stack) -> None:
    answer = b"".join(answers_to(stack, b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"))
    _, _, body = answer.partition(b"\r\n\r\n")
    assert body == httpx.get(stack.url + "/openapi.json").content


@pytest.mark.parametrize("is_reset", [False, True])
def test_nobody_works_for_a_client_that_left(stack: Stack, *, is_reset: bool) -> None:
    """It looks the same at first; the text that waits for a worker is dropped long before its deadline."""
    (worker,) = stack.workers
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        with half_closed(stack, request()) as connection:
            wait_until(lambda: in_flight(stack) == 1, "its arrival", 20)
            if is_reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wait_until(lambda: in_flight(stack) == 0, "the end of its text", 10)
    finally:
        os.kill(worker.pid, signal.SIGCONT)


def in_flight(stack: Stack) -> float:
    return value(samples(stack.url), "kobert_inflight_texts")
