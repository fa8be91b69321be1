"""Tunes the process: thread switching, garbage collection and page sizes for low latency, memory arenas for a small
footprint.
"""

import ctypes
import gc
import sys
from collections.abc import Iterator
from pathlib import Path

# Longest time a busy thread keeps the interpreter while another thread waits for it. Python's default, 5 ms, is longer
# than a pass of the embedded model.
SWITCH_INTERVAL_S = 0.0005
# The GNU C library gives threads up to eight arenas a core, and each keeps what it once had. The worker's threads spend
# their time in the model, which has an allocator of its own.
MALLOC_ARENAS = 2
# Freed buffers of this size go back to the system at once. By itself the C library raises the limit to that of the
# largest buffer it has seen freed, up to 32 MB, and from then on keeps such buffers between others.
LARGE_BUFFER_BYTES = 512 * 1024
# Free memory at the end of the heap that is kept for the next request.
KEPT_BYTES = 4 << 20
HUGE_PAGE_BYTES = 2 << 20
_MADV_COLLAPSE = 25
# Container objects made, less those freed, after which Python looks for garbage among them.
NEW_OBJECTS = 10_000
# Memory of no file of which so much is in use is put into large pages.
LEAST_USED_SHARE = 0.75
# In a line of the map: permissions, offset, device and inode, behind the addresses.
_FIELDS_WITHOUT_FILE = 4
_MAPS = Path("/proc/self/smaps")
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8


def shorten_switch_interval() -> None:
    """Make waiting threads get the interpreter within 0.5 ms."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)


def limit_malloc_arenas() -> None:
    """Make all threads share two arenas (mallopt(3)); call it before they start. Nothing happens without glibc."""
    _set_malloc(_M_ARENA_MAX, MALLOC_ARENAS)


def give_large_buffers_back() -> None:
    """Keep no large buffer that was freed (mallopt(3)), as `limit_malloc_arenas`."""
    _set_malloc(_M_MMAP_THRESHOLD, LARGE_BUFFER_BYTES)
    _set_malloc(_M_TRIM_THRESHOLD, KEPT_BYTES)


def give_freed_memory_back() -> None:
    """Return to the system what was freed between what is still in use (malloc_trim(3)): after a large thing has gone.

    It takes some milliseconds, without Python's lock.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def freeze_startup_objects() -> None:
    """Exclude all objects that exist now from garbage collection, and let it begin; call it at the end of startup.

    Modules, routes and models are never garbage, yet every full collection visits them. That stops a busy worker for 40
    to 60 ms, about every six seconds. A collection here would cost as much and find next to nothing: 1,400 of 150,000
    objects in the API. The main modules keep collections off until then (`if __name__ == "__main__"`): as a process
    only makes objects while it starts, they would be an eighth of its processor time.
    """
    gc.freeze()
    gc.enable()


def collect_garbage_less_often() -> None:
    """Look for garbage in cycles after 10,000 new objects instead of 700: for a process that makes hardly any.

    A worker's objects live as long as their texts and are freed when the last reference goes. Looking through those of
    the hundreds of texts in work was 5 % of the worker's own time for a text.
    """
    gc.set_threshold(NEW_OBJECTS, *gc.get_threshold()[1:])


def use_huge_pages() -> None:
    """Put the memory in use now into pages of 2 MB (madvise(2), Linux 6.1); call it once everything is loaded.

    A lone text finds nothing of the model in the processor's caches, and in small pages nothing of where it lies
    either: a tenth of its pass. So it is with Python's objects whenever a process goes on after another one. Where the
    system has no such pages, nothing happens.
    """
    madvise = getattr(ctypes.CDLL(None), "madvise", None)
    if madvise is None:
        return
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for start, end in _used_memory():
        # One by one: the first page that cannot be had would end the call.
        for page in range(-(-start // HUGE_PAGE_BYTES) * HUGE_PAGE_BYTES, end - HUGE_PAGE_BYTES + 1, HUGE_PAGE_BYTES):
            madvise(page, HUGE_PAGE_BYTES, _MADV_COLLAPSE)


def _used_memory() -> Iterator[tuple[int, int]]:
    """From where to where the C library's heap reaches, and what holds Python's objects, which is elsewhere.

    Other memory of no file, as the stacks of threads, is mostly untouched: whole pages of it would make the process
    larger.
    """
    try:
        lines = _MAPS.read_text().splitlines()
    except OSError:
        return
    bounds, is_heap, is_candidate = (0, 0), False, False
    for line in lines:
        first, *fields = line.split()
        if not first.endswith(":"):
            start, _, end = first.partition("-")
            bounds = int(start, 16), int(end, 16)
            is_heap = fields[-1] == "[heap]"
            is_candidate = is_heap or (fields[0] == "rw-p" and len(fields) == _FIELDS_WITHOUT_FILE)
        elif first == "Rss:" and is_candidate:
            share = int(fields[0]) * 1024 / (bounds[1] - bounds[0])
            if is_heap or share >= LEAST_USED_SHARE:
                yield bounds


def _set_malloc(option: int, value: int) -> None:
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(option, value)
