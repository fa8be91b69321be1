"""Addresses take turns, however many requests one of them has sent first."""

import asyncio

import pytest

from api.http import turns
from api.http.turns import COSTLY, PER_ROUND, Turns


@pytest.fixture(autouse=True)
def no_round_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "LONG_ROUND_S", 60.0)


class Connection:
    """Notes when it is served."""

    def __init__(self, name: str, served: list[str], *, is_costly: bool = False) -> None:
        self._name = name
        self._served = served
        self._is_costly = is_costly

    def serve(self) -> bool:
        self._served.append(self._name)
        return self._is_costly


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


@pytest.mark.parametrize(("long_round_s", "expected"), [(60.0, PER_ROUND // COSTLY), (-1.0, 1)])
async def test_of_costly_requests_fewer_are_begun_at_once_and_one_where_rounds_are_long(
    monkeypatch: pytest.MonkeyPatch, long_round_s: float, expected: int
) -> None:
    monkeypatch.setattr(turns, "LONG_ROUND_S", long_round_s)
    order = Turns()
    served: list[str] = []
    for number in range(3 * PER_ROUND):
        order.must_wait("1.1.1.1", Connection(str(number), served, is_costly=True), 100)

    await asyncio.sleep(0)
    assert len(served) == expected
    await asyncio.sleep(0)
    assert len(served) == 2 * expected


async def test_what_was_begun_at_once_and_is_costly_counts_as_such() -> None:
    order = Turns()
    begun = 0
    while not order.must_wait("1.1.1.1", Connection("", []), 100):
        order.note_costly("1.1.1.1")
        begun += 1
    assert begun == PER_ROUND // COSTLY
