"""What monitors, load balancers, browsers and clients that pack their bodies expect of an HTTP service."""

import gzip
import json
import socket
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.stack import Stack, running_stack

pytestmark = pytest.mark.integration

PAGE = "https://shop.example"


@pytest.fixture(scope="module")
def open_to_a_page(echo_bundle: Path) -> Iterator[Stack]:
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as folder,
        running_stack(
            Path(folder), echo_bundle, cors_origins=f"{PAGE},http://localhost:3000", keep_alive_s=1
        ) as running,
    ):
        yield running


@pytest.mark.parametrize("path", ["/", "/health", "/ready", "/info", "/metrics", "/docs"])
def test_head_is_get_without_its_body(stack: Stack, path: str) -> None:
    head, get = httpx.head(stack.url + path), httpx.get(stack.url + path)

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == get.headers["content-type"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("DELETE", "/health", "GET, HEAD"), ("PUT", "/jobs", "GET, POST"), ("GET", "/predict", "POST"),
     ("PATCH", "/jobs/job_1", "DELETE, GET"), ("OPTIONS", "/jobs/preview", "POST"), ("PUT", "/", "GET, HEAD, POST")],
)  # fmt: skip
def test_a_method_that_a_path_has_not_is_405_with_those_that_it_has(
    stack: Stack, method: str, path: str, allowed: str
) -> None:
    answer = httpx.request(method, stack.url + path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


def idle_seconds(stack: Stack, longest_s: float) -> float | None:
    """After how long an idle connection is closed; None: not within `longest_s`."""
    with socket.create_connection(("127.0.0.1", stack.port), timeout=longest_s) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200 OK" in connection.recv(65536)
        started = time.monotonic()
        try:
            while connection.recv(65536):
                pass
        except TimeoutError:
            return None
        return time.monotonic() - started


def test_a_connection_stays_open_for_longer_than_a_load_balancer_keeps_it(open_to_a_page: Stack, stack: Stack) -> None:
    assert idle_seconds(open_to_a_page, 20) is not None
    # It was 5 s.
    assert idle_seconds(stack, 8) is None


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_packed_body_is_read(stack: Stack, coding: str, pack: object) -> None:
    packed = pack('{"texts": ["좋아요", "싫어요"]}'.encode())  # type: ignore[operator]
    headers = {"content-type": "application/json", "content-encoding": coding}
    answer = httpx.post(f"{stack.url}/predict", content=packed, headers=headers)
    assert [result["text"] for result in answer.json()["results"]] == ["좋아요", "싫어요"]


def test_a_body_that_unpacks_to_too_much_is_413_and_one_of_another_coding_415(stack: Stack) -> None:
    headers = {"content-type": "application/json"}
    bomb = gzip.compress(json.dumps({"text": "0" * 100_000_000}).encode())

    too_large = httpx.post(f"{stack.url}/predict", content=bomb, headers={**headers, "content-encoding": "gzip"})
    brotli = httpx.post(f"{stack.url}/predict", content=bomb, headers={**headers, "content-encoding": "br"})
    plain = httpx.post(f"{stack.url}/predict", content=b"{}", headers={**headers, "content-encoding": "gzip"})

    assert (too_large.status_code, too_large.json()["error"]["code"]) == (413, "too_large")
    assert (brotli.status_code, plain.status_code) == (415, 422)


def test_a_page_of_another_origin_may_ask_where_the_setting_names_it(open_to_a_page: Stack, stack: Stack) -> None:
    asks = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}
    url = f"{open_to_a_page.url}/predict"

    preflight = httpx.options(url, headers={"origin": PAGE, **asks})
    answer = httpx.post(url, json={"text": "글"}, headers={"origin": PAGE})
    refused = httpx.post(url, json={"text": ""}, headers={"origin": PAGE})
    stranger = httpx.options(url, headers={"origin": "https://evil.example", **asks})

    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (200, PAGE)
    for reply in (answer, refused):
        assert reply.headers["access-control-allow-origin"] == PAGE
        assert "x-request-id" in reply.headers["access-control-expose-headers"].lower()
    assert (answer.status_code, refused.status_code) == (200, 422)
    assert (stranger.status_code, stranger.json()["error"]["code"]) == (400, "cross_origin")
    assert "access-control-allow-origin" not in stranger.headers
    assert "access-control-allow-origin" not in httpx.get(f"{stack.url}/health", headers={"origin": PAGE}).headers


def test_an_open_service_keeps_other_peoples_pages_away(stack: Stack, open_to_a_page: Stack) -> None:
    rebound = httpx.get(f"{stack.url}/jobs", headers={"host": "evil.example"})
    form = httpx.post(
        f"{stack.url}/jobs", content="글", headers={"content-type": "text/plain", "origin": "https://evil.example"}
    )
    named = httpx.post(f"{open_to_a_page.url}/jobs", json={"texts": ["글"]}, headers={"origin": PAGE})

    assert (rebound.status_code, rebound.json()["error"]["code"]) == (403, "host_not_allowed")
    assert "ALLOWED_HOSTS" in rebound.json()["error"]["message"]
    assert (form.status_code, form.json()["error"]["code"]) == (403, "cross_origin")
    assert named.status_code == 202


def test_a_401_says_how_to_send_a_key_and_a_closed_service_takes_any_host(short_tmp: Path, echo_bundle: Path) -> None:
    with running_stack(short_tmp, echo_bundle, api_keys="secret") as stack:
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic c2VjcmV0"}):
            answer = httpx.post(f"{stack.url}/predict", json={"text": "글"}, headers=headers)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="kobert"')
        headers = {"authorization": "Bearer secret", "host": "api.example.com", "origin": "https://evil.example"}
        assert httpx.post(f"{stack.url}/predict", json={"text": "글"}, headers=headers).status_code == 200


@pytest.mark.parametrize("offer", ["Upgrade: h2c", "upgrade:h2c", "UPGRADE: websocket"])
def test_a_body_behind_an_offer_of_another_protocol_is_read(stack: Stack, offer: str) -> None:
    body = json.dumps({"text": "안녕"}).encode()
    lines = ["POST /predict HTTP/1.1", "Host: 127.0.0.1", "Connection: Upgrade, HTTP2-Settings", offer,
             "HTTP2-Settings: AAEAAEAA", "Content-Type: application/json", f"Content-Length: {len(body)}"]  # fmt: skip
    head = ("\r\n".join(lines) + "\r\n\r\n").encode()
    with socket.create_connection(("127.0.0.1", stack.port), timeout=20) as connection:
        for pieces in ([head + body], [head, body]):
            for piece in pieces:
                connection.sendall(piece)
            answer = b""
            while b'"windows":1}' not in answer:
                answer += connection.recv(65_536) or pytest.fail("the connection was closed")
            assert answer.startswith(b"HTTP/1.1 200")
