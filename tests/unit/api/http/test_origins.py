from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from api.http.origins import Hosts, OriginsMiddleware
from api.http.request_id import RequestIdMiddleware


def ask(
    method: str = "GET",
    *,
    hosts: tuple[str, ...] = (),
    origins: tuple[str, ...] = (),
    **headers: str,
) -> str:
    """The code of the refusal, or `taken`."""

    async def take(_: Request) -> PlainTextResponse:
        return PlainTextResponse("taken")

    inner = Starlette(routes=[Route("/", take, methods=["GET", "POST", "DELETE", "OPTIONS"])])
    app = RequestIdMiddleware(OriginsMiddleware(inner, lambda: True, hosts, origins))
    given = {"host": "localhost:8000", **{name.replace("_", "-"): value for name, value in headers.items()}}
    answer = TestClient(app).request(method, "/", headers=given)
    if answer.status_code == 200:
        return answer.text
    assert answer.status_code == 403
    assert answer.json()["error"]["request_id"] == answer.headers["x-request-id"]
    return str(answer.json()["error"]["code"])


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8000", "LOCALHOST.", "a.localhost", "127.0.0.1:8000", "[::1]:8000", "[::1]", "192.168.0.7",
     "203.0.113.9:80", "api:8000", "my-server", "0.0.0.0:8000", "testserver", ""],
)  # fmt: skip
def test_a_host_that_no_stranger_can_own_is_always_taken(host: str) -> None:
    assert ask(host=host) == "taken"


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example", "1.2.3.4.5",
     "a.localhost.", "127.0.0.1.", "evil.example.", "xlocalhost.com", "2130706433.nip.io"],
)  # fmt: skip
def test_another_host_is_refused_unless_it_is_an_address_or_local(host: str) -> None:
    expected = "taken" if host in {"a.localhost.", "127.0.0.1."} else "host_not_allowed"
    assert ask(host=host) == ask("POST", host=host) == expected


@pytest.mark.parametrize("dot", ["\u3002", "\xb7", "\uff0e"])
def test_what_some_read_as_a_dot_makes_no_name_of_this_network(dot: str) -> None:
    sent = f"evil{dot}example".encode().decode("latin-1")
    assert not Hosts(()).allow(sent)


def test_a_host_of_the_settings_is_taken() -> None:
    hosts = ("api.example.com", "*.example.org")
    assert ask(host="api.example.com:443", hosts=hosts) == "taken"
    assert ask(host="API.Example.com", hosts=hosts) == "taken"
    assert ask(host="a.b.example.org", hosts=hosts) == "taken"
    assert ask(host="example.org", hosts=hosts) == "host_not_allowed"
    assert ask(host="evilexample.org", hosts=hosts) == "host_not_allowed"
    assert ask(host="evil.example", hosts=("*",)) == "taken"


def test_a_forwarded_host_does_not_open_the_door() -> None:
    assert ask(host="evil.example", x_forwarded_host="localhost") == "host_not_allowed"


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "cross-site", "origin": "http://localhost:8000"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:3000"},
        {"origin": "http://localhost:8000.evil.example"},
        {"origin": "http://[bad"},
    ],
)
def test_what_a_page_of_another_site_sends_is_refused(method: str, headers: dict[str, Any]) -> None:
    assert ask(method, **headers) == "cross_origin"
    assert ask("GET", **headers) == "taken"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec_fetch_site": "same-origin", "origin": "http://localhost:8000"},
        {"sec_fetch_site": "none"},
        {"origin": "http://localhost:8000"},
        {"origin": "https://api.example.com", "x_forwarded_host": "api.example.com"},
    ],
)
def test_what_a_program_or_a_page_of_its_own_sends_is_taken(headers: dict[str, Any]) -> None:
    assert ask("POST", **headers) == "taken"


def test_a_page_that_may_ask_across_origins_may_send() -> None:
    origins = ("https://shop.example",)
    assert ask("POST", origins=origins, sec_fetch_site="cross-site", origin="https://shop.example") == "taken"
    assert ask("POST", origins=origins, sec_fetch_site="cross-site", origin="https://evil.example") == "cross_origin"
    assert ask("POST", origins=("*",), sec_fetch_site="cross-site", origin="https://evil.example") == "taken"
