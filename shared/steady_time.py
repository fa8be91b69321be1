"""Moments that processes tell each other, on a clock that nobody can set where they share one.

A wall clock can be set while a message is on its way, by NTP or by hand: it would be dropped as too late, or its answer
be waited for without end. The monotonic clock is the same for all processes since the machine's start, also for those
in containers; between machines there is only the wall clock.
"""

import hashlib
import time
from functools import cache
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# A container may have a monotonic clock of its own (time_namespaces(7)).
_NAMESPACE = Path("/proc/self/ns/time")
_DIGEST_BYTES = 6


@cache
def steady_clock() -> str:
    """Names the monotonic clock of this process: another process with this name has the same; empty if unknown."""
    try:
        boot = _BOOT_ID.read_text()
    except OSError:
        return ""
    namespace = str(_NAMESPACE.readlink()) if _NAMESPACE.is_symlink() else ""
    return hashlib.blake2b((boot + namespace).encode(), digest_size=_DIGEST_BYTES).hexdigest()


def unix_time_of(steady: float) -> float:
    """The Unix time of a moment of this process's monotonic clock, if the wall clock is not set until then."""
    return steady - time.monotonic() + time.time()


def steady_time_of(unix: float, steady: float, clock: str) -> float:
    """A moment on this process's monotonic clock, from what another process said of it.

    `steady` is the moment on the clock that is named `clock`; where that is not ours, `unix` is taken.
    """
    if clock and clock == steady_clock():
        return steady
    return unix - time.time() + time.monotonic()
