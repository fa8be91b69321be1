"""Finds the texts that end the process that reads them, by letting another process read them one by one.

A text can crash native code: the model's runtime, or the tokenizer. Whoever reads a chunk or a message again that an
earlier worker did not finish asks here first, so that the second death is not a worker's.
"""

import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bundles.format import Bundle
from shared.log import get_logger
from worker.inference.engines.protocol import Engine
from worker.quarantine.child import READ, READY, Order, SuspectText

log = get_logger(__name__)

CHILD_MODULE = "worker.quarantine.child"
# A larger model than any that is served here is loaded in less, on a slow disk.
START_TIMEOUT_S = 60.0
# What only a fault in native code ends a process by. Any other end may be a lack of memory, or somebody's doing: then
# the text is read once more.
CRASHES = frozenset((signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP))
TRIES = 2
# Texts waited for so long are seldom worth it; a worker that is stopping is noticed as soon.
LOOK_S = 0.2

EngineFactory = Callable[[Bundle, int], Engine]


class _NoChildError(Exception):
    """Raised when the process cannot be started."""


class _LeftError(Exception):
    """Raised when the texts need not be read any more."""


class Quarantine:
    """Thread-safe. One process at a time, of about the memory of the model; it ends when nobody waits for it.

    `patience_s` is how long one text may take, as the watchdog has it.
    """

    def __init__(self, bundle: Bundle, max_windows: int, engine: EngineFactory, patience_s: float) -> None:
        path = [folder or str(Path.cwd()) for folder in sys.path]
        self._order = Order(str(bundle.path.absolute()), max_windows, _import_name(engine), path)
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._wanted_by = 0
        self._counting = threading.Lock()
        self._child: _Child | None = None

    def find_deadly(self, suspects: Mapping[int, SuspectText], is_over: Callable[[], bool]) -> dict[int, str] | None:
        """How the process ended, for each text that ended it; None when `is_over` said so before the last text.

        Where no process can be had, no text is found: then the texts are as they were before anybody asked.
        """
        with self._turn():
            deadly: dict[int, str] = {}
            try:
                for number, suspect in suspects.items():
                    if (end := self._read(suspect, is_over)) is not None:
                        deadly[number] = end
            except _NoChildError as error:
                log.warning("quarantine_unavailable", reason=str(error), texts=len(suspects))
            except _LeftError:
                return None
            else:
                log.info("suspects_read", texts=len(suspects), deadly=len(deadly))
            return deadly

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait for the process; the last one ends it."""
        with self._counting:
            self._wanted_by += 1
        with self._lock:
            try:
                yield
            finally:
                with self._counting:
                    self._wanted_by -= 1
                    is_last = not self._wanted_by
                if is_last:
                    self._end()

    def _read(self, suspect: SuspectText, is_over: Callable[[], bool]) -> str | None:
        """None if the text was read; else how the process ended."""
        end = None
        for _ in range(TRIES):
            self._child = self._child or _Child(self._order, is_over)
            if self._child.read(suspect, self._patience_s, is_over):
                return None
            is_stuck = self._child.is_running
            code = self._end()
            if is_stuck:
                return f"did not return within {self._patience_s:g} s"
            end = f"ended by {_signal_name(-code)}" if code < 0 else f"ended with exit code {code}"
            if -code in CRASHES:
                break
        return end

    def _end(self) -> int:
        child, self._child = self._child, None
        return 0 if child is None else child.end()


class _Child:
    """A running process.

    Raises:
        _NoChildError: it does not start.
        _LeftError: `is_over` said so meanwhile; the process has been ended.
    """

    def __init__(self, order: Order, is_over: Callable[[], bool]) -> None:
        # In a session of its own: what a terminal or a supervisor sends to the worker is the worker's.
        self._process = subprocess.Popen(  # noqa: S603  our own module
            [sys.executable, "-P", "-m", CHILD_MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise _NoChildError("it has no pipes")
        self._input, self._output = self._process.stdin, self._process.stdout
        if not self._ask(order, READY, START_TIMEOUT_S, is_over):
            raise _NoChildError(f"it did not start (exit code {self.end()})")

    @property
    def is_running(self) -> bool:
        """Whether it has not ended by itself."""
        return self._process.poll() is None

    def read(self, suspect: SuspectText, patience_s: float, is_over: Callable[[], bool]) -> bool:
        """Whether it read the text and goes on."""
        return self._ask(suspect, READ, patience_s, is_over)

    def end(self) -> int:
        """Kill it, if it still runs, and wait for it; returns its exit code."""
        if self._process.poll() is None:
            self._process.kill()
        self._input.close()
        self._output.close()
        return self._process.wait()

    def _ask(self, question: msgspec.Struct, answer: bytes, timeout_s: float, is_over: Callable[[], bool]) -> bool:
        try:
            self._input.write(msgspec.json.encode(question) + b"\n")
            self._input.flush()
        except BrokenPipeError:
            self._process.wait()
            return False
        until = time.monotonic() + timeout_s
        readable = select.poll()
        readable.register(self._output, select.POLLIN)
        while not readable.poll(1000 * LOOK_S):
            if is_over():
                self.end()
                raise _LeftError("nobody waits any more")
            if time.monotonic() > until:
                return False
        if self._output.readline() == answer:
            return True
        self._process.wait()
        return False


def _import_name(engine: EngineFactory) -> str:
    """Where another process finds it; that of a program which was started as a module is called `__main__`."""
    module = engine.__module__
    spec = getattr(sys.modules.get(module), "__spec__", None)
    return f"{module if spec is None else spec.name}:{engine.__qualname__}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
