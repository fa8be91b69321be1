"""Ends a background task for certain."""

import asyncio
from typing import Any

CANCEL_AGAIN_S = 0.5


async def end_task(task: "asyncio.Task[Any] | None") -> None:
    """Cancel `task` and wait until it has ended; its own error, if it had one, was its own to report.

    One cancellation is not always enough: when it arrives just as a time-out of redis-py expires, the time-out wins and
    the task goes on.
    """
    while task is not None and not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=CANCEL_AGAIN_S)
