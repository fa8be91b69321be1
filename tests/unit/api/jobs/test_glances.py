"""Those who follow a job share their looks at it."""

import asyncio

import pytest

from api.jobs.glances import FRESH_S, SPREAD, Glances, pause_s
from shared.errors import NotFoundError
from shared.jobs.records import Job


class Store:
    """Answers when it is told to, and counts the questions."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.may_answer = asyncio.Event()

    async def get(self, job_id: str, owner: str) -> Job:
        self.asked.append((job_id, owner))
        await self.may_answer.wait()
        raise NotFoundError(job_id)


async def test_many_who_look_at_once_ask_once_and_each_owner_for_themselves() -> None:
    store = Store()
    glances = Glances(store.get)
    looks = [asyncio.create_task(glances.get("job_1", owner)) for owner in ("a", "a", "b", "a")]
    await asyncio.sleep(0)
    looks[0].cancel()
    store.may_answer.set()
    found = await asyncio.gather(*looks, return_exceptions=True)

    assert store.asked == [("job_1", "a"), ("job_1", "b")]
    assert [type(one) for one in found] == [asyncio.CancelledError, NotFoundError, NotFoundError, NotFoundError]


async def test_a_later_look_asks_again() -> None:
    store = Store()
    store.may_answer.set()
    glances = Glances(store.get)
    for _ in range(2):
        with pytest.raises(NotFoundError):
            await glances.get("job_1", "a")
        await asyncio.sleep(FRESH_S * 1.2)

    assert len(store.asked) == 2


async def test_a_look_after_the_job_was_deleted_asks_again_for_its_owner_alone() -> None:
    store = Store()
    store.may_answer.set()
    glances = Glances(store.get)

    async def look(owner: str) -> None:
        with pytest.raises(NotFoundError):
            await glances.get("job_1", owner)

    await look("a")
    await look("b")
    glances.forget("job_1", "a")
    await look("a")
    await look("b")

    assert store.asked == [("job_1", "a"), ("job_1", "b"), ("job_1", "a")]


def test_more_followers_look_less_often() -> None:
    assert pause_s(1) <= 0.5 * (1 + SPREAD)
    assert pause_s(50) >= 0.5 * (1 - SPREAD)
    assert 2.0 * (1 - SPREAD) <= pause_s(200) <= 2.0 * (1 + SPREAD)
    assert len({pause_s(200) for _ in range(10)}) > 1
