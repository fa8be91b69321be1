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
# Growth after which it is worth the milliseconds, and a change since the last time after which more may come of it.
WORTH_BYTES, CHANGE_BYTES = 8 << 20, 1 << 20
# What the last time left may since have been freed, which changes no size: it is tried again in a quiet moment, after
# twice as long each time.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 4.0, 256.0
# Growth since the last time that no crowd puts off.
URGENT_BYTES = 32 << 20
# A full collection visits every object: of so many open connections, for a tenth of a second and more. While there are
# as many, they are what the memory is needed for.
CROWD = 256
# Collections of the middle generation before a full one, by default.
USUAL, NEVER = gc.get_threshold()[2], 1 << 30
_STATM, _FILES = Path("/proc/self/statm"), Path("/proc/self/fd")


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
    """Trim when the process is larger than it has been; that takes a millisecond or two."""
    growth = Growth(resident_bytes(), time.monotonic())
    while True:
        is_busy = await _is_busy_for(LOOK_S)
        if not growth.is_worth_a_trim(resident_bytes(), time.monotonic(), is_busy=is_busy or _is_crowded()):
            continue
        # A request that failed leaves its error and its buffers to each other. It takes a few milliseconds, since
        # what was there at the start is frozen.
        gc.collect()
        # Without Python's lock, so that the event loop goes on.
        await asyncio.to_thread(trim, 0)
        growth.note_trim(resident_bytes(), time.monotonic())


class Growth:
    """Decides when memory is worth giving back; sizes are in bytes, times on one clock in seconds."""

    def __init__(self, size: int, now: float) -> None:
        self._smallest = self._left = size
        self._trimmed_at = now
        self._pause_s = FIRST_PAUSE_S

    def is_worth_a_trim(self, size: int, now: float, *, is_busy: bool) -> bool:
        """Whether it has grown, and the last trim did not just leave it as it is."""
        self._smallest = min(self._smallest, size)
        if size - self._smallest <= WORTH_BYTES:
            return False
        since_s = now - self._trimmed_at
        if abs(size - self._left) <= CHANGE_BYTES:
            return since_s >= self._pause_s and not is_busy
        is_urgent = size - self._left > URGENT_BYTES or since_s >= LONGEST_BUSY_S
        return is_urgent or not is_busy

    def note_trim(self, left: int, now: float) -> None:
        """The process has `left` bytes after a trim."""
        is_same = abs(left - self._left) <= CHANGE_BYTES
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S) if is_same else FIRST_PAUSE_S
        self._smallest = min(self._smallest, left)
        self._left, self._trimmed_at = left, now


def put_off_full_collections(*, is_crowd: bool) -> None:
    """Let Python begin full collections by itself, or none while there is a crowd of connections."""
    gc.set_threshold(*gc.get_threshold()[:2], NEVER if is_crowd else USUAL)


def _is_crowded() -> bool:
    return sum(1 for _ in _FILES.iterdir()) > CROWD


async def _is_busy_for(seconds: float) -> bool:
    """Whether the process, or the machine under it, has much to do during this time."""
    began_at, used_s = time.monotonic(), time.process_time()
    await asyncio.sleep(seconds)
    is_late = time.monotonic() - began_at > seconds + LATE_S
    return is_late or time.process_time() - used_s > BUSY_SHARE * seconds


def resident_bytes() -> int:
    """Memory of this process, as the system sees it."""
    return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
