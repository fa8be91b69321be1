import pytest

from api.access import attempts
from api.access.attempts import FailedAttempts


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def failing(count: int, address: str = "192.0.2.1") -> tuple[FailedAttempts, Clock]:
    clock = Clock()
    failed = FailedAttempts(20, now=clock)
    for _ in range(count):
        failed.note_failure(address)
    return failed, clock


def test_an_address_may_err_as_often_as_the_limit_says_and_then_waits() -> None:
    assert failing(19)[0].wait_s("192.0.2.1") == 0
    failed, clock = failing(20)
    assert failed.wait_s("192.0.2.1") == 3

    clock.now += 3
    assert failed.wait_s("192.0.2.1") == 0
    failed.note_failure("192.0.2.1")
    assert failed.wait_s("192.0.2.1") == 3


def test_who_errs_on_waits_longer() -> None:
    assert failing(40)[0].wait_s("192.0.2.1") == 63


def test_another_address_does_not_wait_but_the_same_customer_of_ipv6_does() -> None:
    assert failing(20)[0].wait_s("192.0.2.2") == 0
    failed, _ = failing(20, "2001:db8::1")
    assert (failed.wait_s("2001:db8::ffff"), failed.wait_s("2001:db8:0:1::1")) == (3, 0)
    assert failing(20, "::ffff:192.0.2.1")[0].wait_s("192.0.2.1") == 3


def test_only_so_many_addresses_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "MAX_ADDRESSES", 2)
    failed, _ = failing(20)
    for other in ("192.0.2.2", "192.0.2.3"):
        failed.note_failure(other)

    assert len(failed._full_at) == 2
    assert failed.wait_s("192.0.2.1") == 0
