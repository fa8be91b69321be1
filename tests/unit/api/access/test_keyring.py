"""Whether what let a request in still opens the service, for requests that last."""

import pytest

from api.access.keyring import Keyring
from api.access.principal import EVERYBODY
from shared.access.records import KeyRecord, Secret, digest_of
from shared.errors import UnauthorisedError

OLD, NEW = "kbt_old", "kbt_new"


class Clock:
    """The time is what the test says."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def record(*secrets: Secret, expires_at: int | None = None) -> KeyRecord:
    return KeyRecord(id="key_1", name="a", scopes=("jobs",), secrets=secrets, created_at=0, expires_at=expires_at)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keyring(clock: Clock) -> Keyring:
    return Keyring(now=clock)


def test_a_secret_that_was_replaced_opens_until_the_end_of_its_grace(keyring: Keyring, clock: Clock) -> None:
    keyring.load([record(Secret(digest_of(OLD), ""))])
    let_in = keyring.find(OLD)
    assert let_in is not None
    keyring.load([record(Secret(digest_of(NEW), ""), Secret(digest_of(OLD), "", expires_at=1_010))])
    keyring.require_open_to(let_in)

    clock.now = 1_010.0
    with pytest.raises(UnauthorisedError):
        keyring.require_open_to(let_in)
    by_new = keyring.find(NEW)
    assert by_new is not None
    keyring.require_open_to(by_new)


def test_a_secret_that_was_replaced_without_grace_opens_nothing_at_once(keyring: Keyring) -> None:
    keyring.load([record(Secret(digest_of(OLD), ""))])
    let_in = keyring.find(OLD)
    assert let_in is not None
    keyring.load([record(Secret(digest_of(NEW), ""))])

    with pytest.raises(UnauthorisedError):
        keyring.require_open_to(let_in)


def test_a_key_opens_until_its_expiry_and_one_of_api_keys_always(clock: Clock) -> None:
    keyring = Keyring(("plain",), now=clock)
    keyring.load([record(Secret(digest_of(OLD), ""), expires_at=1_010)])
    let_in, plain = keyring.find(OLD), keyring.find("plain")
    assert let_in is not None
    assert plain is not None
    keyring.require_open_to(let_in)
    clock.now = 1_010.0

    keyring.require_open_to(plain)
    with pytest.raises(UnauthorisedError):
        keyring.require_open_to(let_in)


def test_everybody_is_shut_out_once_there_is_a_key(keyring: Keyring) -> None:
    keyring.load([])
    keyring.require_open_to(EVERYBODY)
    keyring.load([record(Secret(digest_of(NEW), ""))])

    with pytest.raises(UnauthorisedError):
        keyring.require_open_to(EVERYBODY)


def test_no_digest_is_shown(keyring: Keyring) -> None:
    keyring.load([record(Secret(digest_of(OLD), ""))])

    assert digest_of(OLD) not in repr(keyring.find(OLD))
