"""How Python runs where somebody waits."""

import gc
import sys
from collections.abc import Iterator

import pytest

from shared.interpreter import SWITCH_INTERVAL_S, freeze_startup_objects, shorten_switch_interval


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    interval = sys.getswitchinterval()
    yield
    sys.setswitchinterval(interval)
    gc.unfreeze()


def test_what_was_made_is_not_walked_through_again_and_what_comes_later_is() -> None:
    made: list[list[int]] = [[]]
    freeze_startup_objects()
    made.append([])

    walked = {id(thing) for thing in gc.get_objects()}
    assert id(made[0]) not in walked
    assert id(made[1]) in walked
    assert gc.isenabled()


def test_threads_take_turns_more_often_than_by_default() -> None:
    shorten_switch_interval()
    assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL_S)
