"""Names that no name server answers, sent by uploads."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from api.jobs import name_lookups
from api.jobs.name_lookups import LOOKUPS, NameLookups
from api.jobs.options import OptionsCheck
from shared.errors import MalformedRequestError, OverloadedError, RateLimitedError
from shared.settings import Settings

SILENT, KNOWN = "silent.example", "known.example"
URL = f"https://{SILENT}/hook"
PUBLIC = "93.184.216.34"


class Secrets:
    """Every owner has a secret to sign with."""

    def of_owner(self, _owner: str) -> str:
        return "secret"


class Rules:
    """Every option is one that a model can follow."""

    def resolve(self, _options: object) -> None:
        pass


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A name server that answers for one name only after this is set."""
    answers = threading.Event()

    def getaddrinfo(host: str, port: int, **_: object) -> list[Any]:
        if host == SILENT:
            answers.wait(60)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (PUBLIC, port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(name_lookups, "NAME_TIMEOUT_S", 0.05, raising=False)
    yield answers
    answers.set()


def test_a_name_that_no_server_answers_ends_the_check_of_an_upload(answers: threading.Event) -> None:
    check = OptionsCheck(Settings(), Rules(), Secrets())  # type: ignore[arg-type]  # what they are asked
    with ThreadPoolExecutor(1) as upload:
        checked = upload.submit(check.check, "one", {"webhook_url": URL})
        try:
            with pytest.raises(MalformedRequestError, match=f"address of {SILENT} within"):
                checked.result(20)
        finally:
            answers.set()


def test_lookups_that_hang_are_few_and_half_of_them_one_owners_until_they_end(answers: threading.Event) -> None:
    names = NameLookups()
    for _ in range(LOOKUPS // 2):
        with pytest.raises(MalformedRequestError):
            names.look_up("one", SILENT, 443)
    with pytest.raises(RateLimitedError, match="this key"):
        names.look_up("one", KNOWN, 443)

    assert [str(address) for address in names.look_up("two", KNOWN, 443)] == [PUBLIC]
    for _ in range(LOOKUPS // 2):
        with pytest.raises(MalformedRequestError):
            names.look_up("two", SILENT, 443)
    with pytest.raises(OverloadedError, match=f"{LOOKUPS} names"):
        names.look_up("three", KNOWN, 443)

    answers.set()
    while names.is_busy:
        threading.Event().wait(0.01)
    assert [str(address) for address in names.look_up("one", KNOWN, 443)] == [PUBLIC]
