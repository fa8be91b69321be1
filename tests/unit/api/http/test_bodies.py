"""The common budget of bodies, and the pace of one."""

import pytest

from api.http.bodies import GRACE_S, BodyAccount, BodyBudget, BodyLimits
from shared.errors import OverloadedError, TooSlowError

LIMITS = BodyLimits(max_inflight_bytes=100, min_bytes_per_s=10, timeout_s=60)


def open_account(budget: BodyBudget) -> BodyAccount:
    return BodyAccount(budget, lambda: None)


def test_the_largest_of_the_unfinished_bodies_makes_room_for_a_small_one() -> None:
    budget = BodyBudget(100)
    large, small = open_account(budget), open_account(budget)
    large.take(95)
    small.take(6)

    assert isinstance(large.fault and large.fault(), OverloadedError)
    assert small.fault is None
    assert budget.held_bytes == 6


def test_a_complete_body_stays_and_the_newcomer_is_refused() -> None:
    budget = BodyBudget(100)
    complete, newcomer = open_account(budget), open_account(budget)
    complete.take(95)
    complete.is_complete = True
    newcomer.take(6)

    assert complete.fault is None
    assert isinstance(newcomer.fault and newcomer.fault(), OverloadedError)
    assert budget.held_bytes == 95


def test_what_is_released_is_room_again_and_a_refused_body_counts_no_more() -> None:
    budget = BodyBudget(100)
    account = open_account(budget)
    account.take(100)
    account.release()
    account.take(100)
    assert account.fault is None
    account.take(1)
    account.take(50)

    assert isinstance(account.fault and account.fault(), OverloadedError)
    assert budget.held_bytes == 0


@pytest.mark.parametrize(
    ("received_bytes", "waited_s", "is_stream", "is_slow"),
    [
        (0, GRACE_S, False, False),
        (0, GRACE_S + 1, False, True),
        (10_000, 59, False, False),
        (10_000, 61, False, True),
        (10_000, 61, True, False),
        (10_000, 1_011, True, True),
    ],
)
def test_a_body_needs_a_pace_and_one_that_is_kept_an_end(
    received_bytes: int, waited_s: float, is_stream: bool, is_slow: bool
) -> None:
    account = open_account(BodyBudget(1_000_000))
    account.take(received_bytes)
    if is_stream:
        account.stream()
    account.waited_s = waited_s
    account.check_pace(LIMITS)

    assert (account.fault is not None) is is_slow
    assert not is_slow or isinstance(account.fault and account.fault(), TooSlowError)


def test_a_body_that_is_refused_while_it_is_unpacked_leaves_the_next_one_of_its_connection_alone() -> None:
    woken = []
    account = BodyAccount(BodyBudget(100), lambda: woken.append("the newest request"))
    account.is_complete = True

    account.take(200)

    assert account.fault is not None
    assert woken == []
