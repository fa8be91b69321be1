"""The store's clock, set while nobody looks."""

import pytest
from redis.exceptions import ResponseError

from api.queue.store_clock import StoreClock


class Clocks:
    """The store's clock and this process's; each answer of the store takes `delay_s`."""

    def __init__(self) -> None:
        self.own, self.store, self.delay_s = 50.0, 1_000.0, 0.0
        self.tells = True

    def monotonic(self) -> float:
        return self.own

    async def time(self) -> tuple[int, int]:
        if not self.tells:
            raise ResponseError("NOPERM")
        self.go_on(self.delay_s)
        return divmod(round(self.store * 1_000_000), 1_000_000)

    def go_on(self, seconds: float) -> None:
        self.own += seconds
        self.store += seconds


async def looks(clocks: Clocks, *steps: float) -> list[bool]:
    """What is found at a first look, and after each of these steps of the store's clock."""
    clock = StoreClock(clocks, clocks.monotonic)  # type: ignore[arg-type]  # what it asks of Redis
    found = [await clock.was_set()]
    for step in steps:
        clocks.go_on(1.0)
        clocks.store += step
        found.append(await clock.was_set())
    return found


async def test_a_step_is_found_once_whichever_way_it_goes() -> None:
    assert await looks(Clocks(), 0.0, 3600.0, 0.0, -3600.0, 0.0) == [False, False, True, False, True, False]


async def test_a_clock_that_is_put_right_bit_by_bit_is_not_taken_for_set() -> None:
    assert not any(await looks(Clocks(), *[0.01] * 300))


@pytest.mark.parametrize("delays", [(0.0, 30.0, 0.0), (30.0, 0.0, 30.0)])
async def test_a_store_that_answers_late_is_not_taken_for_one_whose_clock_was_set(delays: tuple[float, ...]) -> None:
    clocks = Clocks()
    clock = StoreClock(clocks, clocks.monotonic)  # type: ignore[arg-type]  # what it asks of Redis
    for delay_s in delays:
        clocks.delay_s = delay_s
        assert not await clock.was_set()


async def test_a_store_that_does_not_tell_its_time_has_no_step() -> None:
    clocks = Clocks()
    clocks.tells = False

    assert await looks(clocks, 3600.0) == [False, False]
