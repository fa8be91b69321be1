"""Gives memory back to the system after a burst: the C library keeps what was freed between what is still in use.

Without it a process that once held forty large bodies stays as large as it was then, although nothing is in it.
"""

import asyncio
import ctypes
import gc
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from api.background import end_task

LOOK_S = 5.0
# Growth after which it is worth the milliseconds.
WORTH_BYTES = 8 << 20
_STATM = Path("/proc/self/statm")


@asynccontextmanager
async def memory_given_back() -> AsyncIterator[None]:
    """Do so in the background."""
    trim = find_trim()
    task = None if trim is None else asyncio.create_task(give_back_forever(trim), name="memory")
    try:
        yield
    finally:
        await end_task(task)


def find_trim() -> Callable[[int], int] | None:
    """`malloc_trim` of the GNU C library (malloc_trim(3)); None where there is no such thing."""
    if not _STATM.exists():
        return None
    function = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if function is not None:
        function.argtypes = [ctypes.c_size_t]
    return function


async def give_back_forever(trim: Callable[[int], int]) -> None:
    """Trim as long as the process is larger than it has been; that takes a millisecond or two."""
    smallest = resident_bytes()
    while True:
        await asyncio.sleep(LOOK_S)
        now = resident_bytes()
        smallest = min(smallest, now)
        if now - smallest > WORTH_BYTES:
            # A request that failed leaves its error and its buffers to each other. It takes a few milliseconds, since
            # what was there at the start is frozen.
            gc.collect()
            # Without Python's lock, so that the event loop goes on.
            await asyncio.to_thread(trim, 0)


def resident_bytes() -> int:
    """Memory of this process, as the system sees it."""
    return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
