"""When the API gives memory back: a full collection stops the event loop, and a crowd makes it long."""

import asyncio
import gc
import itertools

import pytest

from api import memory
from api.http.traffic import Traffic, traffic_limits
from api.memory import (
    CHANGE_BYTES,
    CROWD,
    FIRST_PAUSE_S,
    LONGEST_BUSY_S,
    LONGEST_PAUSE_S,
    NEVER,
    URGENT_BYTES,
    USUAL,
    WORTH_BYTES,
    Growth,
)
from shared.settings import Settings
from tests.support.happens import happens

START = 100 << 20
GROWN = START + WORTH_BYTES + 1


def test_a_process_that_has_not_grown_is_left_alone() -> None:
    assert not Growth(START, 0.0).is_worth_a_trim(START + WORTH_BYTES, 1000.0, is_busy=False)


def test_growth_is_given_back_in_a_quiet_moment() -> None:
    growth = Growth(START, 0.0)
    assert growth.is_worth_a_trim(GROWN, 1.0, is_busy=False)
    assert not growth.is_worth_a_trim(GROWN, 1.0, is_busy=True)


def test_a_busy_process_puts_it_off_for_a_minute_at_most() -> None:
    growth = Growth(START, 0.0)
    assert growth.is_worth_a_trim(GROWN, LONGEST_BUSY_S, is_busy=True)
    growth.note_trim(START, LONGEST_BUSY_S)
    assert not growth.is_worth_a_trim(GROWN, LONGEST_BUSY_S + 2, is_busy=True)


def test_nothing_puts_off_what_is_urgent() -> None:
    assert Growth(START, 0.0).is_worth_a_trim(START + URGENT_BYTES + 1, 1.0, is_busy=True)


def test_what_a_trim_left_is_tried_again_after_longer_and_longer_pauses() -> None:
    """A job's rows were still in use then; freed since, they have not changed the size."""
    growth = Growth(START, 0.0)
    growth.note_trim(GROWN, 0.0)
    assert growth.is_worth_a_trim(GROWN + CHANGE_BYTES + 1, 1.0, is_busy=False)
    trimmed_at = []
    for now in range(0, 2_000, 2):
        if growth.is_worth_a_trim(GROWN, float(now), is_busy=False):
            trimmed_at.append(now)
            growth.note_trim(GROWN, float(now))
    pauses = [after - before for before, after in itertools.pairwise([0, *trimmed_at])]
    assert pauses[:7] == [4, 8, 16, 32, 64, 128, 256]
    assert set(pauses[7:]) == {LONGEST_PAUSE_S}
    assert not growth.is_worth_a_trim(GROWN, 9_000.0, is_busy=True)


def test_after_a_trim_that_helped_the_next_is_soon_again() -> None:
    growth = Growth(START, 0.0)
    growth.note_trim(GROWN, 0.0)
    growth.note_trim(GROWN, 4.0)
    growth.note_trim(START, 12.0)
    growth.note_trim(GROWN, 14.0)
    assert growth.is_worth_a_trim(GROWN, 14.0 + FIRST_PAUSE_S, is_busy=False)


class Quiet:
    """A connection of which nothing is known."""

    def check(self, _now: float, _elapsed_s: float) -> None:
        pass

    def abort(self) -> None:
        pass


async def test_while_there_is_a_crowd_python_begins_no_full_collection_by_itself() -> None:
    before = gc.get_threshold()
    traffic = Traffic(traffic_limits(Settings()))
    connections = [Quiet() for _ in range(CROWD + 10)]
    for number, connection in enumerate(connections, 1):
        traffic.opened(connection)
        assert gc.get_threshold() == (*before[:2], NEVER if number >= CROWD else USUAL)
    for connection in connections[10:]:
        traffic.closed(connection)
    assert gc.get_threshold() == before


async def test_with_a_crowd_of_connections_no_full_collection_stops_the_event_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    collections: list[int] = []
    size = START
    monkeypatch.setattr(memory, "LOOK_S", 0.01)
    looks: list[int] = []

    def resident_bytes() -> int:
        looks.append(size)
        return size

    monkeypatch.setattr(memory, "resident_bytes", resident_bytes)
    monkeypatch.setattr(memory, "CROWD", 0)
    monkeypatch.setattr(gc, "collect", lambda: collections.append(1))
    task = asyncio.create_task(memory.give_back_forever(lambda _: 1))
    await happens(lambda: START in looks)
    size = GROWN
    await asyncio.sleep(0.1)
    assert not collections
    monkeypatch.setattr(memory, "CROWD", 1 << 20)
    monkeypatch.setattr(memory, "LATE_S", 10.0)
    monkeypatch.setattr(memory, "BUSY_SHARE", 100.0)
    await happens(lambda: bool(collections))
    task.cancel()
