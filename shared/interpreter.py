"""Tunes the process: thread switching and garbage collection for low latency, memory arenas for a small footprint."""

import ctypes
import gc
import sys

# Longest time a busy thread keeps the interpreter while another thread waits for it. Python's default, 5 ms, is longer
# than a pass of the embedded model.
SWITCH_INTERVAL_S = 0.0005
# The GNU C library gives threads up to eight arenas a core, and each keeps what it once had. The worker's threads spend
# their time in the model, which has an allocator of its own.
MALLOC_ARENAS = 2
_M_ARENA_MAX = -8


def shorten_switch_interval() -> None:
    """Make waiting threads get the interpreter within 0.5 ms."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)


def limit_malloc_arenas() -> None:
    """Make all threads share two arenas (mallopt(3)); call it before they start. Nothing happens without glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, MALLOC_ARENAS)


def freeze_startup_objects() -> None:
    """Exclude all objects that exist now from garbage collection; call it at the end of startup.

    Modules, routes and models are never garbage, yet every full collection visits them. That stops a busy worker for 40
    to 60 ms, about every six seconds.
    """
    gc.collect()
    gc.freeze()
