"""The address of a service, as users write it."""

import pytest

from cli.address import Address
from shared.errors import KobertError


@pytest.mark.parametrize(
    ("url", "host", "port", "prefix"),
    [
        ("http://host", "host", None, ""),
        ("http://host:8000/", "host", 8000, ""),
        ("https://host/kobert", "host", None, "/kobert"),
        ("https://host/a/b//", "host", None, "/a/b"),
        ("http://[::1]:8000/x", "::1", 8000, "/x"),
        ("http://host/검열 ".strip(), "host", None, "/%EA%B2%80%EC%97%B4"),
        ("http://host/a%20b", "host", None, "/a%20b"),
        (" http://host:1/p\n", "host", 1, "/p"),
    ],
)
def test_an_address_keeps_its_prefix(url: str, host: str, port: int | None, prefix: str) -> None:
    address = Address.parse(url)
    assert (address.host, address.port, address.prefix) == (host, port, prefix)


@pytest.mark.parametrize(
    "url",
    ["", "host", "host:8000", "127.0.0.1:8000/x", "ftp://host", "http://", "http:///x", "http://host:99999",
     "http://host:port", "http://[::1", "http://ho st", "http://host/\x00", "http://host?x=1", "http://host/#a"],
)  # fmt: skip
def test_what_is_no_address_is_one_sentence_with_an_example(url: str) -> None:
    with pytest.raises(KobertError, match="write http://host:port") as refusal:
        Address.parse(url)
    assert "\n" not in refusal.value.message


def test_a_password_is_not_shown() -> None:
    with pytest.raises(KobertError, match="user or password") as refusal:
        Address.parse("http://me:secret@host/x")
    assert "secret" not in refusal.value.message
