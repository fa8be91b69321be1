from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from api.http.proxies import MAX_HOPS, Proxies, ProxiesMiddleware
from shared.errors import SettingsError
from shared.settings import load_settings

TRUSTED = ["10.0.0.0/8", "::1"]


def ask(
    path: str = "/jobs",
    headers: dict[str, str] | list[tuple[str, str]] | None = None,
    *,
    peer: str = "10.1.2.3",
    trusted: list[str] = TRUSTED,
    root_path: str = "",
) -> dict[str, Any]:
    async def show(request: Request) -> JSONResponse:
        return JSONResponse(
            {
                "client": request.client.host if request.client else None,
                "root_path": request.scope["root_path"],
                "url": str(request.url),
            }
        )

    app = ProxiesMiddleware(Starlette(routes=[Route("/jobs", show)]), trusted, root_path)
    answer = TestClient(app, base_url="http://inside:8000", client=(peer, 5)).get(path, headers=headers)
    return answer.json() if answer.status_code == 200 else {"status": answer.status_code}


ALL = {
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "api.example.com",
    "X-Forwarded-Prefix": "/kobert",
}


@pytest.mark.parametrize("peer", ["10.1.2.3", "::ffff:10.1.2.3", "::1"])
def test_a_trusted_proxy_says_who_asked_and_under_which_address(peer: str) -> None:
    assert ask(headers=ALL, peer=peer) == {
        "client": "203.0.113.9",
        "root_path": "/kobert",
        "url": "https://api.example.com/kobert/jobs",
    }


@pytest.mark.parametrize("peer", ["11.0.0.1", "127.0.0.1", "::2", "::ffff:11.0.0.1", "testclient", ""])
def test_anybody_else_is_not_believed(peer: str) -> None:
    assert ask(headers=ALL, peer=peer) == {"client": peer, "root_path": "", "url": "http://inside:8000/jobs"}


def test_nobody_is_trusted_with_none_and_everybody_with_a_star() -> None:
    assert ask(headers=ALL, trusted=["none"])["root_path"] == ""
    assert ask(headers=ALL, trusted=["*"], peer="8.8.8.8")["root_path"] == "/kobert"


@pytest.mark.parametrize(
    ("hops", "client"),
    [
        ("1.1.1.1, 203.0.113.9, 10.9.9.9", "203.0.113.9"),
        ("made up, 203.0.113.9:4711", "203.0.113.9"),
        ("[2001:db8::7]:443, 10.0.0.1", "2001:db8::7"),
        ("2001:db8::7", "2001:db8::7"),
        ("10.0.0.1, 10.0.0.2", "10.0.0.1"),
        (" , ", "10.1.2.3"),
    ],
)
def test_the_client_is_the_last_address_that_no_trusted_proxy_has(hops: str, client: str) -> None:
    assert ask(headers={"X-Forwarded-For": hops})["client"] == client


def test_the_headers_of_several_proxies_are_read_in_order() -> None:
    headers = [
        ("X-Forwarded-For", "203.0.113.9"),
        ("X-Forwarded-For", "10.0.0.7"),
        ("X-Forwarded-Proto", "https, http"),
        ("X-Forwarded-Prefix", "/outer"),
        ("X-Forwarded-Prefix", "/inner/"),
    ]
    seen = ask(headers=headers)
    assert (seen["client"], seen["url"]) == ("203.0.113.9", "https://inside:8000/outer/inner/jobs")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Prefix", "/a/../b"),
        ("Prefix", "/a'-alert(1)-'"),
        ("Prefix", "/" + "a" * 300),
        ("Prefix", "/%2e%2e"),
        ("Proto", "javascript"),
        ("Host", "a b"),
        ("Host", "evil/x"),
        ("Host", "a@b"),
    ],
)
def test_a_header_that_cannot_be_true_is_ignored(name: str, value: str) -> None:
    seen = ask(headers={f"X-Forwarded-{name}": value})
    assert (seen["root_path"], seen["url"]) == ("", "http://inside:8000/jobs")


def test_a_prefix_can_be_no_other_host() -> None:
    assert ask(headers={"X-Forwarded-Prefix": "//evil.example"})["url"] == "http://inside:8000/evil.example/jobs"


@pytest.mark.parametrize("path", ["/kobert/jobs", "/jobs"])
def test_the_root_path_is_known_whether_the_proxy_takes_it_off_or_not(path: str) -> None:
    seen = ask(path, root_path="/kobert")
    assert (seen["root_path"], seen["url"]) == ("/kobert", "http://inside:8000/kobert/jobs")


def test_a_path_that_only_begins_like_the_root_path_is_not_under_it() -> None:
    assert ask("/kobertx/jobs", root_path="/kobert") == {"status": 404}


def test_a_prefix_of_the_proxy_goes_before_the_setting() -> None:
    assert ask(headers={"X-Forwarded-Prefix": "/theirs"}, root_path="/ours")["root_path"] == "/theirs"


@pytest.mark.parametrize(("given", "root_path"), [("kobert/", "/kobert"), ("/a/b", "/a/b"), ("/", ""), ("", "")])
def test_a_root_path_is_read_as_people_write_it(given: str, root_path: str) -> None:
    assert load_settings(root_path=given).root_path == root_path


@pytest.mark.parametrize(
    "setting",
    [
        {"root_path": "/a b"},
        {"root_path": "https://x/y"},
        {"trusted_proxies": "10.0.0.0/99"},
        {"trusted_proxies": "proxy.local"},
    ],
)
def test_a_value_that_cannot_work_stops_the_start_with_its_name(setting: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=next(iter(setting)).upper()):
        load_settings(**setting)


def test_of_a_list_of_thousands_the_last_hops_are_read() -> None:
    read: list[str] = []

    class Counting(Proxies):
        def _is_trusted(self, address: str) -> bool:
            read.append(address)
            return super()._is_trusted(address)

    made_up = ", ".join(["::1"] * 4_000)
    for hops, client in (
        (f"{made_up}, 203.0.113.9, 10.0.0.7", "203.0.113.9"),
        (made_up, "::1"),
        (f"203.0.113.9, {made_up}", "::1"),
    ):
        headers = [(b"x-forwarded-for", hops.encode()), (b"x-forwarded-prefix", b"/a," * 4_000)]
        scope = {"type": "http", "path": "/jobs", "headers": headers, "client": ("10.1.2.3", 5)}

        assert Proxies(TRUSTED, "").seen_from_outside(scope)["client"] == (client, 0)
        Counting(TRUSTED, "").seen_from_outside(scope)

    assert len(read) <= 3 * (MAX_HOPS + 1)
