"""Pauses in loops over thousands of terms, in which threads that wait for Python's lock get it: else after 5 ms."""

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

# A millisecond or two of work.
TERMS_BETWEEN = 64
PAUSE_S = 0.0001
Item = TypeVar("Item")


def with_pauses(items: Iterable[Item]) -> Iterator[Item]:
    """The same items."""
    for place, item in enumerate(items, start=1):
        if place % TERMS_BETWEEN == 0:
            time.sleep(PAUSE_S)
        yield item
