"""An engine whose passes a test holds and lets go, and texts for the model threads that run them."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future

import numpy as np

from worker.inference.batcher import MicroBatcher
from worker.inference.engines.protocol import Logits
from worker.inference.waiting import MIN_SHARE_TOKENS, Priority

WAIT_S = 60


THREADS = 2


BUDGET = 4 * MIN_SHARE_TOKENS


POISON, END = 666, 667


class ThreadEnd(BaseException):
    """Ends a model thread: no handler of errors takes it."""


class SlowEngine:
    """Holds each pass until its own gate is opened, if it has one; a row's first token names its gate."""

    def __init__(self) -> None:
        self.passes: list[list[int]] = []
        self.running = self.most_running = 0
        self.gates: dict[int, threading.Event] = {}
        self.entered = threading.Semaphore(0)
        self._lock = threading.Lock()

    def shut(self, token: int) -> threading.Event:
        """Hold the pass of the row that starts with this token."""
        self.gates[token] = threading.Event()
        return self.gates[token]

    def run(self, rows: Sequence[Sequence[int]]) -> Logits:
        with self._lock:
            self.passes.append([row[0] for row in rows])
            self.running += 1
            self.most_running = max(self.most_running, self.running)
        self.entered.release()
        try:
            for row in rows:
                if row[0] in self.gates:
                    assert self.gates[row[0]].wait(WAIT_S)
            if any(END in row for row in rows):
                raise ThreadEnd
            if any(POISON in row for row in rows):
                raise FloatingPointError
            return np.array([[row[0]] for row in rows], dtype=np.float32)
        finally:
            with self._lock:
                self.running -= 1


def submit(batcher: MicroBatcher, rows: Sequence[list[int]], priority: Priority = Priority.INTERACTIVE) -> list[Future]:
    """Queue texts of one window each."""
    return list(batcher.submit([[row] for row in rows], priority))


def results(futures: Sequence[Future]) -> list[float]:
    return [window.logits[0] for future in futures for window in future.result(WAIT_S)]


def wait_until_idle(batcher: MicroBatcher) -> None:
    """Until every model thread waits for work."""
    deadline = time.monotonic() + WAIT_S
    while batcher._idle_threads < len(batcher._threads):
        assert time.monotonic() < deadline
        time.sleep(0.005)


def hold(batcher: MicroBatcher, engine: SlowEngine, tokens: Sequence[int]) -> list[Future]:
    """Occupy a model thread for each of these tokens."""
    held = []
    for token in tokens:
        engine.shut(token)
        held += submit(batcher, [[token]])
        assert engine.entered.acquire(timeout=WAIT_S)
    return held
