import asyncio
import contextlib

from api.background import end_task


async def test_a_task_that_swallows_a_cancellation_is_ended_all_the_same() -> None:
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                swallowed += 1
                if swallowed > 1:
                    raise

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    await end_task(task)

    assert task.cancelled()
    assert swallowed == 2


async def test_a_task_that_failed_long_ago_ends_quietly() -> None:
    async def fail() -> None:
        raise ValueError

    task = asyncio.create_task(fail())
    with contextlib.suppress(ValueError):
        await task
    await end_task(task)
    await end_task(None)

    assert task.done()
