"""How Python itself runs in a process whose answers somebody waits for."""

import gc
import sys

# A thread that is busy may keep the interpreter from one that has an answer to give for so long, each time. By default
# it is 5 ms: longer than a pass of the embedded model takes.
SWITCH_INTERVAL_S = 0.0005


def switch_threads_promptly() -> None:
    """Let a thread that has something to do wait for half a millisecond at most."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)


def spare_what_stays() -> None:
    """Take everything that was made so far out of the garbage collector's rounds; to be called when all is set up.

    Modules, routes and models are never garbage, yet each full round walks through them: 40 to 60 ms in which nobody
    is answered, every six seconds or so of a busy worker.
    """
    gc.collect()
    gc.freeze()
