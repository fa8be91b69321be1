"""What each route must hold to, whichever it is: a route that is added tomorrow is among them."""

import contextlib
import gzip
import json
import re
import socket
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from click.testing import CliRunner

from api.keys import keys
from tests.support.routes import RouteOfApi, every_route
from tests.support.stack import Stack, running_stack, wait_until

pytestmark = pytest.mark.integration

ROUTES = every_route()
WITH_BODY = [route for route in ROUTES if route.has_body]
# For everybody, with or without a key.
PUBLIC = frozenset(
    ("/", "/console", "/console/files/{name:path}", "/docs", "/docs/files/{name}", "/health", "/info", "/metrics",
     "/openapi.json", "/ready", "/redoc", "/$discovery/rest", "/discovery/v1/apis/commentanalyzer/v1alpha1/rest")
)  # fmt: skip
# They read no body, whatever is sent.
BODILESS = frozenset(("/jobs/{job_id}/cancel", "/v1/batches/{batch_id}/cancel"))
# As Google's APIs have it, everything that is wrong with a request is a 400, a missing key included.
GOOGLES = frozenset(("/v1alpha1/comments:analyze", "/v1alpha1/comments:suggestscore"))
FORM = "multipart/form-data; boundary=b"
OWN, OTHER = "first-key", "second-key"
MIB = 1 << 20
MAX_BODY_BYTES = 64 * 1024
# Each request on a connection of its own: what is refused may end it.
CLIENT = httpx.Client(timeout=30, limits=httpx.Limits(max_keepalive_connections=0))


@pytest.fixture(scope="module")
def closed(echo_bundle: Path) -> Iterator[Stack]:
    """A service with two keys, and limits that are soon reached."""
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as folder,
        running_stack(
            Path(folder),
            echo_bundle,
            api_keys=f"{OWN},{OTHER}",
            max_body_bytes=MAX_BODY_BYTES,
            max_job_bytes=MIB,
            body_timeout_s=2,
            upload_slots=64,
            max_wrong_keys_per_minute=6_000,
            job_poll_s=0.5,
        ) as running,
    ):
        yield running


def needs_key(route: RouteOfApi) -> bool:
    return route.path not in PUBLIC or route.method != "GET"


def too_large(route: RouteOfApi) -> set[int]:
    return {400} if route.path in GOOGLES else {413}


def sent_as(route: RouteOfApi) -> str:
    return FORM if route.path == "/v1/files" else "application/json"


def head_alone(stack: Stack, route: RouteOfApi, *headers: str, then: bytes = b"", timeout_s: float = 20) -> int:
    """The status of the answer to a request whose body does not come."""
    parts = urlsplit(stack.url)
    lines = (
        f"{route.method} {route.filled(name='echo')} HTTP/1.1",
        "Host: localhost",
        f"Content-Type: {sent_as(route)}",
        *headers,
    )
    with socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout_s) as connection:
        connection.sendall("\r\n".join((*lines, "", "")).encode() + then)
        answer = b""
        with contextlib.suppress(ConnectionError):
            while b"\r\n" not in answer and (piece := connection.recv(65_536)):
                answer += piece
        return int(answer.split(b" ", 2)[1]) if answer else 0


def ask(stack: Stack, route: RouteOfApi, key: str = "", path: str = "", **headers: str) -> httpx.Response:
    if key:
        headers["Authorization"] = f"Bearer {key}"
    content = b"{}" if route.has_body else None
    headers = {"Content-Type": "application/json", **headers}
    return httpx.request(
        route.method, stack.url + (path or route.filled()), headers=headers, content=content, timeout=30
    )


def test_there_are_routes_of_every_kind() -> None:
    assert len(ROUTES) >= 50
    assert {"/v1/moderations", "/v1alpha1/comments:analyze", "/models/{name:path}", "/jobs"} <= {r.path for r in ROUTES}


@pytest.mark.parametrize("route", [r for r in ROUTES if needs_key(r)], ids=str)
def test_nothing_is_answered_without_a_key(closed: Stack, route: RouteOfApi) -> None:
    for key in ("", "a-wrong-key"):
        answer = ask(closed, route, key)
        assert answer.status_code == (400 if route.path in GOOGLES else 401)
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("route", WITH_BODY, ids=str)
def test_a_caller_without_a_key_is_refused_before_its_body_comes(closed: Stack, route: RouteOfApi) -> None:
    assert head_alone(closed, route, "Content-Length: 60000") == (400 if route.path in GOOGLES else 401)


@pytest.mark.parametrize("route", WITH_BODY, ids=str)
def test_a_body_that_says_that_it_is_too_large_is_refused_before_it_comes(closed: Stack, route: RouteOfApi) -> None:
    status = head_alone(closed, route, f"Authorization: Bearer {OWN}", f"Content-Length: {2 << 30}")
    assert status in too_large(route) or (route.path in BODILESS and status == 404)


@pytest.mark.parametrize("route", WITH_BODY, ids=str)
def test_a_body_without_a_length_is_read_up_to_the_limit(closed: Stack, route: RouteOfApi) -> None:
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    headers = (f"Authorization: Bearer {OWN}", "Transfer-Encoding: chunked")
    status = head_alone(closed, route, *headers, then=chunk * 20 + b"0\r\n\r\n")
    # Of a form, the first bytes are wrong already.
    assert status in too_large(route) or (route.path in BODILESS and status == 404) or sent_as(route) == FORM
    assert 400 <= status < 500


@pytest.fixture(scope="module")
def packed() -> bytes:
    """A few kilobytes that unpack to 64 MiB."""
    return gzip.compress(b'{"text": "' + b"a" * (64 * MIB) + b'"}')


@pytest.mark.parametrize("route", WITH_BODY, ids=str)
def test_a_packed_body_is_unpacked_up_to_the_limit(closed: Stack, packed: bytes, route: RouteOfApi) -> None:
    headers = {"Authorization": f"Bearer {OWN}", "Content-Encoding": "gzip", "Content-Type": sent_as(route)}
    url = closed.url + route.filled(name="echo")
    status = CLIENT.request(route.method, url, headers=headers, content=packed).status_code
    assert status in too_large(route) or (route.path in BODILESS and status == 404) or sent_as(route) == FORM
    assert 400 <= status < 500


def test_a_body_that_does_not_come_is_not_waited_for(closed: Stack) -> None:
    def wait(route: RouteOfApi) -> tuple[RouteOfApi, int]:
        headers = (f"Authorization: Bearer {OWN}", "Content-Length: 60000")
        begun = b"--b" if sent_as(route) == FORM else b"{"
        return route, head_alone(closed, route, *headers, then=begun, timeout_s=60)

    with ThreadPoolExecutor(len(WITH_BODY)) as pool:
        statuses = dict(pool.map(wait, WITH_BODY))

    late = {str(route): status for route, status in statuses.items() if status != 408 and route.path not in BODILESS}
    assert late == {}


def test_every_request_of_a_key_is_counted(closed: Stack) -> None:
    environment = {"REDIS_URL": closed.redis_url, "API_KEYS": f"{OWN},{OTHER}"}
    command = ["add", "few", "--requests-per-minute", "1"]
    secret = CliRunner().invoke(keys, command, env=environment, catch_exceptions=False).stdout.strip()
    route = RouteOfApi("GET", "/jobs")
    wait_until(lambda: ask(closed, route, secret).status_code != 401, "the new key")
    began = time.monotonic()
    ask(closed, route, secret)

    counted = [route for route in ROUTES if needs_key(route)]
    statuses = {str(route): ask(closed, route, secret).status_code for route in counted}

    # One more request a minute, if this took so long.
    room = 1 + int((time.monotonic() - began) // 60)
    assert len([name for name, status in statuses.items() if status != 429]) <= room - 1, statuses


def objects_of(stack: Stack) -> dict[str, str]:
    """An object of each kind that belongs to a key, by the parameter that names it."""
    with httpx.Client(base_url=stack.url, headers={"Authorization": f"Bearer {OWN}"}, timeout=30) as client:
        job = client.post("/jobs", json={"texts": ["가", "나"]}).json()["id"]
        wait_until(lambda: client.get(f"/jobs/{job}").json()["status"] == "completed", "the job's end")
        review = client.post("/reviews", json={"job_id": job})
        line = {"custom_id": "1", "method": "POST", "url": "/v1/moderations", "body": {"input": "가"}}
        file = client.post(
            "/v1/files", data={"purpose": "batch"}, files={"file": ("lines.jsonl", json.dumps(line).encode())}
        )
        batch = client.post(
            "/v1/batches",
            json={"input_file_id": file.json()["id"], "endpoint": "/v1/moderations", "completion_window": "24h"},
        )
    assert (review.status_code, file.status_code, batch.status_code) == (201, 200, 200), (
        review.text,
        file.text,
        batch.text,
    )
    return {
        "job_id": job,
        "review_id": review.json()["id"],
        "file_id": file.json()["id"],
        "batch_id": batch.json()["id"],
    }


def without_id(answer: httpx.Response, *names: str) -> str:
    said = re.sub(r'"request_id":"[^"]*"', "", answer.text)
    for name in names:
        said = said.replace(name, "ID")
    return said


def test_an_object_of_another_key_is_one_that_does_not_exist(closed: Stack) -> None:
    objects = objects_of(closed)
    owned = [route for route in ROUTES if set(route.parameters) & set(objects)]
    # Whatever else has an identifier in its path belongs to the service, and not to a key.
    shared = {name for route in ROUTES for name in route.parameters} - set(objects)
    assert shared == {"correction_id", "name", "version"}
    assert len(owned) >= 16

    for route in owned:
        missing = {name: value[:-1] + ("0" if value[-1] != "0" else "1") for name, value in objects.items()}
        theirs = ask(closed, route, OTHER, route.filled(**objects))
        nobodys = ask(closed, route, OTHER, route.filled(**missing))
        assert (str(route), theirs.status_code) == (str(route), nobodys.status_code)
        assert without_id(theirs, *objects.values()) == without_id(nobodys, *missing.values())
        assert theirs.status_code in {404, 422}
    mine = ask(closed, RouteOfApi("GET", "/jobs/{job_id}"), OWN, f"/jobs/{objects['job_id']}")
    assert mine.status_code == 200


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_a_service_without_keys_is_not_for_pages_of_other_sites(stack: Stack, route: RouteOfApi) -> None:
    by_name = ask(stack, route, Host="rebound.example.com")
    assert (by_name.status_code, by_name.json()["error"]["code"]) == (403, "host_not_allowed")
    if route.method == "GET":
        return
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://other.example"}, {"Origin": "null"}):
        of_another = ask(stack, route, **headers)
        assert (of_another.status_code, of_another.json()["error"]["code"]) == (403, "cross_origin")
