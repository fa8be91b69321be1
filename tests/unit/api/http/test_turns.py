"""Addresses take turns, however many requests one of them has sent first."""

import asyncio

import pytest

from api.http import turns
from api.http.turns import PER_ROUND, Turns


@pytest.fixture(autouse=True)
def no_round_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "LONG_ROUND_S", 60.0)


class Connection:
    """Notes when it is served."""

    def __init__(self, name: str, served: list[str]) -> None:
        self._name = name
        self._served = served

    def serve(self) -> None:
        self._served.append(self._name)


async def test_a_single_request_is_begun_at_once_behind_a_flood_and_the_flood_in_order() -> None:
    order = Turns()
    served: list[str] = []
    flood = [Connection(f"flood {number}", served) for number in range(3 * PER_ROUND)]
    waited = [order.must_wait("1.1.1.1", connection, 100) for connection in flood]
    other = order.must_wait("2.2.2.2", Connection("other", served), 100)

    assert waited == [False] * PER_ROUND + [True] * (2 * PER_ROUND)
    assert other is False
    await asyncio.sleep(0)
    assert served == [f"flood {number}" for number in range(PER_ROUND, 2 * PER_ROUND)]
    assert order.must_wait("1.1.1.1", Connection("last", served), 100) is True
    for _ in range(3):
        await asyncio.sleep(0)
    assert served[-2:] == [f"flood {3 * PER_ROUND - 1}", "last"]


async def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "MAX_WAITING_BYTES", 250)
    order = Turns()
    waited = [order.must_wait("1.1.1.1", Connection("", []), 100) for _ in range(PER_ROUND + 4)]

    assert waited == [False] * PER_ROUND + [True, True, False, False]


async def test_fewer_are_begun_at_once_when_rounds_have_become_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "LONG_ROUND_S", -1.0)
    order = Turns()
    served: list[str] = []
    for number in range(PER_ROUND + 3):
        order.must_wait("1.1.1.1", Connection(str(number), served), 100)

    await asyncio.sleep(0)
    assert served == [str(PER_ROUND)]
    await asyncio.sleep(0)
    assert served == [str(PER_ROUND), str(PER_ROUND + 1)]
