"""Cancels a background task and waits until it has ended."""

import asyncio
from typing import Any

CANCEL_AGAIN_S = 0.5


async def end_task(task: "asyncio.Task[Any] | None") -> None:
    """Cancel `task` and wait until it has ended; errors of the task are ignored.

    Cancels repeatedly, because a cancellation that arrives just as a time-out of redis-py expires is lost.
    """
    while task is not None and not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=CANCEL_AGAIN_S)
