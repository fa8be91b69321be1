"""Plain requests to `/predict` are answered straight from their connection, and as the framework answers all others."""

import contextlib
import json
import os
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from tests.support.stack import Stack, running_stack, wait_until

pytestmark = pytest.mark.integration

KEY = "a-key-of-this-test"
# A header that comes twice is nothing plain, and means nothing else here.
TWICE = [("x-twice", "1"), ("x-twice", "2")]
# Differ in any two answers.
OWN_HEADERS = {"date", "x-request-id", "x-queue-time", "x-tokenization-time", "x-inference-time", "x-total-time"}


@pytest.fixture(scope="module")
def stack(echo_bundle: Path) -> Iterator[Stack]:
    limits: dict[str, Any] = {"api_keys": KEY, "max_text_chars": 50, "max_texts_per_request": 4}
    # Longer than one look at the connections counts at most (`MAX_TICK_S`), so that no stall of the machine between a
    # head and its body ends the request.
    limits["body_timeout_s"] = 4
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as folder,
        running_stack(Path(folder), echo_bundle, echo_poison="독", **limits) as running,
    ):
        yield running


@pytest.fixture
def http(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.url, timeout=30) as client:
        yield client


def ask(http: httpx.Client, content: str, *, key: str | None = KEY, is_plain: bool = True) -> httpx.Response:
    headers = [("content-type", "application/json"), *([] if is_plain else TWICE)]
    if key is not None:
        headers.append(("authorization", f"Bearer {key}"))
    return http.post("/predict", content=content.encode(), headers=headers)


def is_direct(answer: httpx.Response) -> bool:
    """The framework puts the id behind its own headers, and the connection before."""
    names = list(answer.headers)
    return names.index("x-request-id") < names.index("content-length")


def essence(answer: httpx.Response) -> tuple[int, dict[str, str], str]:
    """What has to be the same in two answers to the same request."""
    request_id = answer.headers["x-request-id"]
    headers = {name: value for name, value in answer.headers.items() if name not in OWN_HEADERS}
    return answer.status_code, headers, answer.text.replace(request_id, "ID")


@pytest.mark.parametrize(
    "content",
    ['{"text": "안녕"}', '{"texts": ["하나"]}', '{"texts": ["하나", "독이 든 둘", "\\u0033"]}', '{"text": "독"}',
     '{"text": "\\ud83d\\ude00 <b>\\"&\\u0000"}'],
)  # fmt: skip
def test_a_plain_request_is_answered_directly_and_as_the_framework_does(http: httpx.Client, content: str) -> None:
    direct, framework = ask(http, content), ask(http, content, is_plain=False)

    assert (is_direct(direct), is_direct(framework)) == (True, False)
    assert essence(direct) == essence(framework)


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"text": ""}', '{"text": "\\ud83d"}', '{"text": 1}', '{"text": "a", "texts": ["b"]}',
     '{"texts": []}',
     '{"texts": ["a", " "]}', '{"texts": ["a", null]}', '{"texts": ["a", "b", "c", "d", "e"]}', '{"teext": "a"}',
     '{"text": "a", "strictness": "lenient"}', '{"text": "a", "explain": true}', '{"inputs": "a"}',
     '{"text": "' + "가" * 51 + '"}', '\ufeff{"text": "a"}'],
)  # fmt: skip
def test_whatever_is_not_plain_is_the_frameworks(http: httpx.Client, content: str) -> None:
    answer = ask(http, content)

    assert not is_direct(answer)
    assert essence(answer) == essence(ask(http, content, is_plain=False))


@pytest.mark.parametrize("key", [None, "wrong"])
def test_without_a_key_it_is_refused_as_ever(http: httpx.Client, key: str | None) -> None:
    answer = ask(http, '{"text": "a"}', key=key)

    assert answer.status_code == 401
    assert essence(answer) == essence(ask(http, '{"text": "a"}', key=key, is_plain=False))


def test_the_id_that_a_client_offers_is_kept_if_it_is_plain(http: httpx.Client) -> None:
    headers = {"authorization": f"Bearer {KEY}", "x-request-id": "order-7"}
    kept = http.post("/predict", json={"text": "a"}, headers=headers)
    replaced = http.post("/predict", json={"text": "a"}, headers={**headers, "x-request-id": "not plain"})

    assert is_direct(kept)
    assert kept.headers["x-request-id"] == "order-7"
    assert len(replaced.headers["x-request-id"]) == 32


class Raw:
    """One connection, byte by byte."""

    def __init__(self, stack: Stack) -> None:
        self.socket = socket.create_connection(("127.0.0.1", stack.port), timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read_to_end(self) -> bytes:
        parts = []
        while part := self.socket.recv(65536):
            parts.append(part)
        return b"".join(parts)


def request(text: str, extra: str = "") -> bytes:
    body = json.dumps({"text": text}, ensure_ascii=False).encode()
    head = (
        f"POST /predict HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {KEY}\r\n{extra}"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def test_a_body_may_come_in_pieces(stack: Stack) -> None:
    data = request("조각조각", "connection: close\r\n")

    with Raw(stack) as raw:
        for at in range(0, len(data), 40):
            raw.send(data[at : at + 40])
        answer = raw.read_to_end()

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert "조각조각".encode() in answer


def test_requests_sent_ahead_are_answered_in_their_order(stack: Stack) -> None:
    texts = [f"{number}번째" for number in range(20)]

    with Raw(stack) as raw:
        raw.send(b"".join(map(request, texts)) + request("끝", "connection: close\r\n"))
        answer = raw.read_to_end().decode()

    places = [answer.index(f'"text":"{text}"') for text in [*texts, "끝"]]
    assert places == sorted(places)
    assert answer.count("HTTP/1.1 200 OK") == 21


def test_a_short_body_that_does_not_end_is_refused_in_time(stack: Stack) -> None:
    with Raw(stack) as raw:
        raw.send(request("끝나지 않는다")[:-3])

        assert raw.read_to_end().startswith(b"HTTP/1.1 408 ")


def test_a_client_that_leaves_before_its_body_is_complete_is_counted_as_gone(stack: Stack) -> None:
    before = gone(stack)

    with Raw(stack) as raw:
        raw.send(request("몸이 없다")[:-3])

    wait_until(lambda: gone(stack) > before, "the log line")


def test_a_client_that_does_not_wait_for_its_answer_is_counted_as_gone(stack: Stack) -> None:
    before = gone(stack)
    with stopped(stack), Raw(stack) as raw:
        raw.send(request("기다리지 않는다"))
        wait_until(lambda: in_flight(stack) == 1, "its arrival")
        raw.socket.close()
        wait_until(lambda: gone(stack) > before, "the log line")

    assert in_flight(stack) == 0


def test_too_much_is_refused_directly_in_the_one_shape(short_tmp: Path, echo_bundle: Path) -> None:
    limits: dict[str, Any] = {"max_inflight_texts": 2, "predict_timeout_s": 120, "heartbeat_ttl_s": 120}
    with running_stack(short_tmp, echo_bundle, **limits) as stack, stopped(stack), Raw(stack) as waiting:
        waiting.send(request("먼저"))
        wait_until(lambda: in_flight(stack) == 1, "its arrival")

        answer = httpx.post(stack.url + "/predict", json={"text": "나중"}, timeout=30)

        assert answer.status_code == 429
        assert is_direct(answer)
        assert int(answer.headers["retry-after"]) >= 1
        error = answer.json()["error"]
        assert (error["type"], error["request_id"]) == ("rate_limit_error", answer.headers["x-request-id"])
        metrics = httpx.get(stack.url + "/metrics", timeout=30).text
        assert f'kobert_refused_total{{reason="{error["code"]}",unit="request"}} 1.0' in metrics


def gone(stack: Stack) -> int:
    """Log lines of clients that left."""
    return sum(event.get("event") == "request" and event["code"] == 499 for event in stack.events())


def in_flight(stack: Stack) -> float:
    metrics = httpx.get(stack.url + "/metrics", timeout=30).text
    return next(float(line.split()[1]) for line in metrics.splitlines() if line.startswith("kobert_inflight_texts "))


@contextlib.contextmanager
def stopped(stack: Stack) -> Iterator[None]:
    """Let no worker answer."""
    os.kill(stack.workers[0].pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(stack.workers[0].pid, signal.SIGCONT)
