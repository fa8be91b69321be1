"""Tunes the Python interpreter for low latency: thread switching and garbage collection."""

import gc
import sys

# Longest time a busy thread keeps the interpreter while another thread waits for it. Python's default, 5 ms, is longer
# than a pass of the embedded model.
SWITCH_INTERVAL_S = 0.0005


def shorten_switch_interval() -> None:
    """Make waiting threads get the interpreter within 0.5 ms."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)


def freeze_startup_objects() -> None:
    """Exclude all objects that exist now from garbage collection; call it at the end of startup.

    Modules, routes and models are never garbage, yet every full collection visits them. That stops a busy worker for 40
    to 60 ms, about every six seconds.
    """
    gc.collect()
    gc.freeze()
