"""What an asynchronous test waits for, however long a busy machine takes."""

import asyncio
from collections.abc import Callable

PATIENCE_S = 60


async def happens(condition: Callable[[], bool]) -> None:
    """Return once `condition` holds.

    Raises:
        TimeoutError: it did not come to hold.
    """
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.01)
