"""How Python runs where somebody waits."""

import gc
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.memory import find_trim
from shared.interpreter import (
    NEW_OBJECTS,
    SWITCH_INTERVAL_S,
    collect_garbage_less_often,
    freeze_startup_objects,
    shorten_switch_interval,
)


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    interval, threshold = sys.getswitchinterval(), gc.get_threshold()
    yield
    sys.setswitchinterval(interval)
    gc.set_threshold(*threshold)
    gc.unfreeze()


def test_what_was_made_is_not_walked_through_again_and_what_comes_later_is() -> None:
    made: list[list[int]] = [[]]
    freeze_startup_objects()
    made.append([])

    walked = {id(thing) for thing in gc.get_objects()}
    assert id(made[0]) not in walked
    assert id(made[1]) in walked
    assert gc.isenabled()


def test_garbage_in_cycles_is_looked_for_less_often_but_found() -> None:
    class Knot:
        def __init__(self) -> None:
            self.own = self

    gc.enable()
    collect_garbage_less_often()
    gc.collect()
    first = weakref.ref(Knot())
    knots = [weakref.ref(Knot()) for _ in range(1_000)]
    assert first() is not None
    knots += [weakref.ref(Knot()) for _ in range(NEW_OBJECTS)]
    assert first() is None


def test_threads_take_turns_more_often_than_by_default() -> None:
    shorten_switch_interval()
    assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL_S)


def kept_mib(before: str) -> float:
    """What a process keeps of 64 MiB in large buffers that were freed, with small things in use between them."""
    code = f"""
from api.memory import resident_bytes
from shared.interpreter import give_large_buffers_back
{before}
start, small = resident_bytes(), []
for _ in range(2):
    large = []
    for _ in range(64):
        large.append(bytearray(b"x") * (1 << 20))
        small.append(bytes(5_000))
    del large
print((resident_bytes() - start) / (1 << 20))
"""
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


@pytest.mark.integration
@pytest.mark.skipif(find_trim() is None, reason="not the GNU C library")
def test_a_large_buffer_that_was_freed_is_given_back_although_others_are_in_use() -> None:
    assert kept_mib("give_large_buffers_back()") < 16 < kept_mib("")


HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")


@pytest.mark.skipif(
    not HUGE_PAGES.exists() or "[never]" in HUGE_PAGES.read_text(), reason="the system has no transparent huge pages"
)
# Enough of them: the first of Python's blocks of 1 MiB fill gaps between mapped files, where no large page fits.
@pytest.mark.parametrize(
    "kept",
    [
        pytest.param("bytes([number % 251]) * 1000 for number in range(20_000)", id="the C library's heap"),
        pytest.param("bytes([number % 251]) * 100 for number in range(400_000)", id="Python's small objects"),
    ],
)
def test_memory_in_use_is_in_large_pages_and_holds_what_it_held(kept: str) -> None:
    code = """
import re, threading, zlib
from pathlib import Path
from shared.interpreter import use_huge_pages

def figure(name):
    return int(re.search(rf"^{name}:\\s+(\\d+) kB", Path("/proc/self/smaps_rollup").read_text(), re.MULTILINE)[1])

kept = [KEPT]
for _ in range(8):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
before, sums = figure("AnonHugePages"), list(map(zlib.crc32, kept))
resident = figure("Rss")
use_huge_pages()
assert list(map(zlib.crc32, kept)) == sums
print(figure("AnonHugePages") - before, figure("Rss") - resident)
""".replace("KEPT", kept)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    huge_kb, more_kb = map(int, done.stdout.split())
    assert huge_kb >= 10_000
    assert more_kb < 4_000
