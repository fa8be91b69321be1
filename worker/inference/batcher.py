"""The micro-batcher: task threads submit windows, and model threads run them in batches.

There is no timer: a free model thread takes what is waiting (`worker.inference.waiting`). Several threads, each with a
pass of its own, are faster than one pass that uses several processors, because every step of such a pass waits for the
slowest of them.

A text that is alone in work is read by its task thread (`read_alone`): to wake a model thread, and to be woken by it,
would take a quarter as long as its pass.
"""

import itertools
import math
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from shared.errors import PredictionFailedError, UnavailableError
from shared.log import get_logger
from worker.inference.engines.protocol import Engine, Evidence, ExplainingEngine, Logits
from worker.inference.stats import BatchStats, PassTime
from worker.inference.turns import NO_LOAD, Endings, TextLoad, TextResults, Told, Window, result_of, windows_of
from worker.inference.waiting import Priority, WaitingWindows

log = get_logger(__name__)

# How often an idle model thread reports that it is alive.
IDLE_BEAT_S = 0.5
# Longest time bulk waits for interactive work: several times what one text takes, and short enough that bulk goes on
# slowly under a constant stream of interactive texts.
MAX_BULK_WAIT_S = 0.02


@dataclass(eq=False)
class _ModelThread:
    """When a thread was last seen alive: between two passes, or idle."""

    beat_at: float = field(default_factory=time.monotonic)
    thread: threading.Thread = field(default_factory=threading.Thread)


class MicroBatcher:
    """Owns the model threads, which alone call the engine. `submit` may be called from any thread."""

    def __init__(
        self, engine: Engine, *, threads: int = 1, max_batch_tokens: int, max_bulk_batch_tokens: int | None = None
    ) -> None:
        self.stats = BatchStats()
        # Messages taken and windows queued: stands still where nothing is taken.
        self.interactive_steps = 0
        self._engine = engine
        self._explaining = engine if isinstance(engine, ExplainingEngine) and engine.has_evidence else None
        # An interactive text may have to wait for a bulk pass, so bulk passes can have a smaller limit.
        self._waiting = WaitingWindows(
            {Priority.INTERACTIVE: max_batch_tokens, Priority.BULK: max_bulk_batch_tokens or max_batch_tokens}
        )
        lock = threading.Lock()
        # Both guard the same state. A model thread waits for the first, work that gives way for the second.
        self._work = threading.Condition(lock)
        self._changed = threading.Condition(lock)
        self._endings = Endings()
        self._idle_threads = 0
        # The pass that a task thread runs in place of a model thread, and whether such a pass has ended no text.
        self._lent: _ModelThread | None = None
        self._has_lost_pass = False
        self._interactive_in_hand = 0
        self._bulk_held_since: float | None = None
        self._closed = False
        self._threads = [_ModelThread() for _ in range(threads)]
        for number, own in enumerate(self._threads):
            own.thread = threading.Thread(target=self._run, args=(own,), name=f"model-{number}", daemon=True)

    def start(self) -> None:
        """Start the model threads."""
        for own in self._threads:
            own.thread.start()

    def close(self) -> None:
        """Stop after the passes under way; windows still waiting fail with `UnavailableError`."""
        with self._work:
            self._closed = True
            left = self._waiting.clear()
            self._work.notify_all()
            self._changed.notify_all()
        self._endings.note(left, [UnavailableError("the worker is stopping")] * len(left))
        for own in self._threads:
            if own.thread.is_alive():
                own.thread.join()

    @property
    def gives_evidence(self) -> bool:
        """Whether the engine tells what each token adds."""
        return self._explaining is not None

    @property
    def is_alive(self) -> bool:
        """Whether every model thread runs, and no task thread has failed in the place of one."""
        return not self._has_lost_pass and all(own.thread.is_alive() for own in self._threads)

    @property
    def beat_at(self) -> float:
        """When the thread that has been silent longest, of those that run passes, was last seen alive."""
        lent = self._lent
        return min(own.beat_at for own in (self._threads if lent is None else [*self._threads, lent]))

    @property
    def waiting_interactive_windows(self) -> int:
        """Interactive windows waiting for a pass."""
        return self._waiting.count(Priority.INTERACTIVE)

    @property
    def has_passes_waiting(self) -> bool:
        """Whether every model thread works, and will then find a whole pass of interactive windows."""
        return not self._idle_threads and self._waiting.fills_passes(len(self._threads), Priority.INTERACTIVE)

    @property
    def waiting_windows(self) -> int:
        """Windows waiting for a pass."""
        return len(self._waiting)

    @property
    def waiting_texts(self) -> int:
        """Texts with at least one window waiting for a pass."""
        return self._waiting.texts

    def submit(
        self,
        texts: Iterable[Sequence[Sequence[int]]],
        priority: Priority,
        told: Told | None = None,
        loads: Sequence[TextLoad] = (),
    ) -> list["Future[TextResults]"]:
        """Queue texts, each as its windows of token ids; returns a future for each text.

        A future ends as the results of the text's windows, or as the error of the first of them that has one. `told` is
        called after each pass that ended some of these texts, in the model's thread, with their futures. `loads` has
        one for each text, or is empty.

        Raises:
            UnavailableError: the batcher is closed.
        """
        by_text = [windows_of(windows, told, load or NO_LOAD) for windows, load in itertools.zip_longest(texts, loads)]
        with self._work:
            if self._closed:
                raise UnavailableError("the worker is stopping")
            self._waiting.add(by_text, priority)
            if priority is Priority.INTERACTIVE:
                self.interactive_steps += sum(map(len, by_text))
            self._work.notify()
        return [windows[0].text.future for windows in by_text]

    def read_alone(
        self, windows: Sequence[Sequence[int]], priority: Priority, load: TextLoad = NO_LOAD
    ) -> "Future[TextResults] | None":
        """Read an interactive text of one window in this thread, if it is the only one in work; None: `submit` it.

        The future, as that of `submit`, has ended, and nobody is told. Meanwhile one model thread is idle.
        """
        if priority is not Priority.INTERACTIVE or len(windows) != 1:
            return None
        with self._work:
            is_busy = self._interactive_in_hand > 1 or self._waiting or self._idle_threads < len(self._threads)
            if is_busy or self._closed or self._lent is not None:
                return None
            self._lent = own = _ModelThread()
        batch = windows_of(windows, None, load)
        try:
            self._run_batch(batch, own)
        except BaseException:
            self._has_lost_pass = True
            raise
        finally:
            self._take_back()
        return batch[0].text.future

    def _take_back(self) -> None:
        with self._work:
            self._lent = None
            if self._waiting:
                self._work.notify()

    @contextmanager
    def interactive(self) -> Iterator[None]:
        """Context in which interactive texts are processed, from reading their message to sending the answers."""
        with self._changed:
            self._interactive_in_hand += 1
            self.interactive_steps += 1
        try:
            yield
        finally:
            with self._changed:
                self._interactive_in_hand -= 1
                if not self._interactive_in_hand:
                    self._changed.notify_all()
                    self._work.notify()

    def give_way(self) -> None:
        """Wait up to `MAX_BULK_WAIT_S` until no interactive text is in work. Bulk calls it before each step."""
        with self._changed:
            self._changed.wait_for(lambda: not self._interactive_in_hand or self._closed, MAX_BULK_WAIT_S)

    def _run(self, own: _ModelThread) -> None:
        while not self._closed:
            # Callers that stopped waiting have cancelled their texts, which are skipped.
            batch = [window for window in self._take(own) if not window.text.future.cancelled()]
            if batch:
                self._run_batch(batch, own)

    def _take(self, own: _ModelThread) -> list[Window]:
        """The windows of the next pass, once there are some; none when the batcher is closed."""
        with self._work:
            while not self._closed:
                own.beat_at = time.monotonic()
                wait_s = self._wait_s(own.beat_at)
                if not wait_s:
                    return self._take_pass()
                self._idle_threads += 1
                self._work.wait(wait_s)
                self._idle_threads -= 1
        return []

    def _take_pass(self) -> list[Window]:
        batch = self._waiting.take(self._idle_threads - (self._lent is not None))
        if self._waiting:
            # One thread wakes the next, so that only as many wake as there is work for.
            self._work.notify()
        return batch

    def _wait_s(self, now: float) -> float:
        """Seconds until a pass may start, or a thread that waits has to report; 0: at once."""
        is_in_place = self._lent is not None and not self._idle_threads
        if not self._waiting or is_in_place:
            return IDLE_BEAT_S
        if not self._interactive_in_hand or self._waiting.count(Priority.INTERACTIVE):
            self._bulk_held_since = None
            return 0.0
        # The interactive text in work would have to wait for a bulk pass that starts now.
        if self._bulk_held_since is None:
            self._bulk_held_since = now
        left_s = self._bulk_held_since + MAX_BULK_WAIT_S - now
        if left_s > 0:
            return min(left_s, IDLE_BEAT_S)
        self._bulk_held_since = None
        return 0.0

    def _run_batch(self, batch: list[Window], own: _ModelThread) -> None:
        try:
            logits, evidence, pass_time = self._pass(batch)
        except Exception as error:  # noqa: BLE001  whatever a model raises must end as a named error of its text
            self._run_one_by_one(batch, own, error)
        else:
            self._deliver(batch, logits, evidence, pass_time)

    def _pass(self, batch: list[Window]) -> tuple[Logits, Sequence[Evidence | None], PassTime]:
        rows = [window.token_ids for window in batch]
        evidence: Sequence[Evidence | None] = [None] * len(batch)
        # One text that wants it makes the whole pass give it: it costs less than a pass of its own.
        begun = self.stats.begin_pass()
        try:
            if self._explaining is not None and any(window.text.load.is_explained for window in batch):
                logits, evidence = self._explaining.run_with_evidence(rows)
            else:
                logits = self._engine.run(rows)
        finally:
            pass_time = self.stats.end_pass(begun)
        if len(logits) != len(batch):
            raise RuntimeError(f"the engine gave {len(logits)} windows for {len(batch)}")
        if not np.add.reduce(logits, axis=None) < math.inf:
            # Not a number: no JSON has it, so that the whole reply would be lost with the neighbours' answers.
            raise FloatingPointError("a score is not finite")
        return logits, evidence, pass_time

    def _deliver(
        self, batch: list[Window], logits: Logits, evidence: Sequence[Evidence | None], pass_time: PassTime
    ) -> None:
        lengths = [len(window.token_ids) for window in batch]
        texts = sum(window.text_share for window in batch)
        cost = sum(window.text.load.cost * window.text_share for window in batch)
        self.stats.record(lengths, texts, pass_time, cost)
        found = zip(batch, logits, evidence, strict=True)
        self._endings.note(batch, [result_of(window, row, pass_time, of_tokens) for window, row, of_tokens in found])

    def _run_one_by_one(self, batch: list[Window], own: _ModelThread, error: Exception) -> None:
        """A pass failed: find the windows at fault by running each alone, so that their neighbours are answered."""
        if len(batch) == 1:
            if not batch[0].text.has_failed:
                batch[0].text.has_failed = True
                self.stats.record_failure()
            log.warning("text_failed", tokens=len(batch[0].token_ids), error_type=type(error).__name__)
            failure = PredictionFailedError(f"the model failed on this text ({type(error).__name__})")
            self._endings.note(batch, [failure])
            return
        log.warning("pass_failed", windows=len(batch), error_type=type(error).__name__)
        for window in batch:
            own.beat_at = time.monotonic()
            self._run_batch([window], own)
