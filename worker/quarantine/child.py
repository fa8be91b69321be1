"""The process that reads suspect texts: `python -m worker.quarantine.child`.

The first line of standard input is an `Order`, each further one a `SuspectText`; standard output gets a line once the
model is loaded, and one after each text that was read whole. The process may die of any text: only that counts, so what
the model says is not passed on.
"""

import contextlib
import importlib
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import msgspec

from bundles.format import Bundle, load_bundle
from shared.interpreter import limit_malloc_arenas
from worker.inference.engines.protocol import Engine, ExplainingEngine
from worker.inference.tokenizer import BundleTokenizer

READY, READ = b"ready\n", b"read\n"
# Where memory is short, the kernel ends this process before the worker.
FIRST_TO_GO = "1000"
PARENT_LOOK_S = 1.0


class Order(msgspec.Struct, frozen=True):
    """The model, the engine as `module:name`, and where Python finds modules."""

    bundle: str
    max_windows: int
    engine: str
    python_path: list[str]


class SuspectText(msgspec.Struct, frozen=True):
    """A text as the model is to read it, and whether what its tokens add is wanted too."""

    text: str
    is_explained: bool = False


class Reader:
    """Brings a text to the model as the worker does, on a thread of its own and in a pass of its own."""

    def __init__(self, bundle: Bundle, engine: Engine, max_windows: int) -> None:
        self._tokenizer = BundleTokenizer(bundle, max_windows)
        self._engine = engine
        self._max_windows = max_windows

    def read(self, suspect: SuspectText) -> None:
        """Read it; a model that fails on a text does so again where it is answered, and is named there."""
        with contextlib.suppress(Exception):
            for window in self._windows(suspect)[: self._max_windows]:
                if suspect.is_explained and isinstance(self._engine, ExplainingEngine) and self._engine.has_evidence:
                    self._engine.run_with_evidence([window])
                else:
                    self._engine.run([window])

    def _windows(self, suspect: SuspectText) -> list[list[int]]:
        if suspect.is_explained:
            return self._tokenizer.encode_traced(suspect.text).windows
        (windows,) = self._tokenizer.encode([suspect.text])
        return windows


def main() -> None:
    """Read standard input to its end."""
    _prepare_to_die()
    answers = _take_standard_output()
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)
    sys.path[:] = order.python_path
    bundle = load_bundle(Path(order.bundle))
    reader = Reader(bundle, _engine_named(order.engine)(bundle, 1), order.max_windows)
    # Where there is no memory for a whole window, it ends now, and not at the first text.
    reader.read(SuspectText("가" * bundle.config.max_length))
    answers.write(READY)
    for line in sys.stdin.buffer:
        reader.read(msgspec.json.decode(line, type=SuspectText))
        answers.write(READ)


def _engine_named(name: str) -> Callable[[Bundle, int], Engine]:
    module, _, attribute = name.partition(":")
    engine: Callable[[Bundle, int], Engine] = getattr(importlib.import_module(module), attribute)
    return engine


def _prepare_to_die() -> None:
    """Leave no core file, which would have texts in it, and no process behind the worker."""
    limit_malloc_arenas()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO, encoding="ascii")
    # The worker closes standard input when it stops.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()


def _end_with(parent: int) -> None:
    """End as soon as the worker has, even if the model hangs."""
    while os.getppid() == parent:
        time.sleep(PARENT_LOOK_S)
    os._exit(0)


def _take_standard_output() -> IO[bytes]:
    """Standard output, out of reach of what a library may print."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return answers


if __name__ == "__main__":
    main()
