"""Slow work on long text in steps, of one thread at a time, so that the event loop gets Python's lock between two.

Each step is one call into C, which gives the lock up at its end only. Where several uploads do such work at once, the
event loop would wait for a step of each of them before it goes on.
"""

import threading
from collections.abc import Callable
from typing import TypeVar

# Where each byte is an error, as long as a millisecond or two.
STEP = 1 << 13
_ALONE = threading.Lock()
Text = TypeVar("Text", bytes, str)


def in_steps(work: Callable[[Text], str], text: Text) -> str:
    """What `work` makes of each part of `text`, joined."""
    if len(text) <= STEP:
        return work(text)
    parts: list[str] = []
    for at in range(0, len(text), STEP):
        with _ALONE:
            parts.append(work(text[at : at + STEP]))
    return "".join(parts)
