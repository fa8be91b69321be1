"""Gives memory back to the system after a burst: the C library keeps what was freed between what is still in use.

Without it a process that once held forty large bodies stays as large as it was then, although nothing is in it.
"""

import asyncio
import ctypes
import gc
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from api.background import end_task

LOOK_S = 2.0
# It takes the event loop some milliseconds for each thousand connections, so a busy process puts it off.
BUSY_SHARE, LATE_S = 0.5, 0.02
LONGEST_BUSY_S = 60.0
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
    trimmed_at = time.monotonic()
    while True:
        is_busy = await _is_busy_for(LOOK_S) and time.monotonic() - trimmed_at < LONGEST_BUSY_S
        now = resident_bytes()
        smallest = min(smallest, now)
        if now - smallest > WORTH_BYTES and not is_busy:
            trimmed_at = time.monotonic()
            # A request that failed leaves its error and its buffers to each other. It takes a few milliseconds, since
            # what was there at the start is frozen.
            gc.collect()
            # Without Python's lock, so that the event loop goes on.
            await asyncio.to_thread(trim, 0)


async def _is_busy_for(seconds: float) -> bool:
    """Whether the process, or the machine under it, has much to do during this time."""
    began_at, used_s = time.monotonic(), time.process_time()
    await asyncio.sleep(seconds)
    is_late = time.monotonic() - began_at > seconds + LATE_S
    return is_late or time.process_time() - used_s > BUSY_SHARE * seconds


def resident_bytes() -> int:
    """Memory of this process, as the system sees it."""
    return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
