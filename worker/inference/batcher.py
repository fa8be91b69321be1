"""The micro-batcher: task threads submit windows, one model thread runs them in batches.

A batch is closed by a token budget, as in Hugging Face's text-embeddings-inference (`core/src/queue.rs`), and holds
windows of similar length, because on a CPU padding costs as much as text. There is no timer: a free model thread takes
what is waiting.
"""

import itertools
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from enum import IntEnum

from shared.errors import PredictionFailedError, UnavailableError
from shared.log import get_logger
from worker.inference.engines.protocol import Engine, Evidence, ExplainingEngine, Logits
from worker.inference.stats import BatchStats
from worker.inference.turns import NO_LOAD, TextLoad, Turns, Window, WindowResult, windows_of

log = get_logger(__name__)

# How often an idle model thread reports that it is alive.
IDLE_BEAT_S = 0.5
# Longest time bulk waits for interactive work: several times what one text takes, and short enough that bulk goes on
# slowly under a constant stream of interactive texts.
MAX_BULK_WAIT_S = 0.02
# Where interactive texts never end, bulk gets a pass after so long.
MAX_BULK_STARVATION_S = 0.25
# How many waiting windows are searched for ones of similar length; bounds the cost of closing a batch.
LENGTH_SCAN_WINDOWS = 512
# Padding costs as much as text. Twice and three times this share made no measurable difference (docs/performance.md).
MAX_PADDING_SHARE = 0.1
# A pass costs about as much as these tokens by itself, so padding up to here is cheaper than another pass.
PASS_TOKENS = 24


class Priority(IntEnum):
    """Interactive windows always go before bulk windows."""

    INTERACTIVE = 0
    BULK = 1


class MicroBatcher:
    """Owns the model thread, the only one that calls the engine. `submit` may be called from any thread."""

    def __init__(self, engine: Engine, *, max_batch_tokens: int, max_bulk_batch_tokens: int | None = None) -> None:
        self.stats = BatchStats()
        self.beat_at = time.monotonic()
        self.interactive_windows = 0
        self._engine = engine
        self._explaining = engine if isinstance(engine, ExplainingEngine) and engine.has_evidence else None
        # An interactive text may have to wait for a bulk pass, so bulk passes can have a smaller limit.
        self._max_batch_tokens = {
            Priority.INTERACTIVE: max_batch_tokens,
            Priority.BULK: max_bulk_batch_tokens or max_batch_tokens,
        }
        self._waiting_texts = 0
        self._waiting: dict[Priority, deque[Window]] = {priority: deque() for priority in Priority}
        self._turns = {priority: Turns() for priority in Priority}
        self._bulk_due_at: float | None = None
        self._changed = threading.Condition()
        self._interactive_in_hand = 0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)

    def start(self) -> None:
        """Start the model thread."""
        self._thread.start()

    def close(self) -> None:
        """Stop after the current pass; windows still waiting fail with `UnavailableError`."""
        with self._changed:
            self._closed = True
            left = [window for windows in self._waiting.values() for window in windows]
            for windows in self._waiting.values():
                windows.clear()
            self._waiting_texts = 0
            self._changed.notify_all()
        for window in left:
            window.future.set_exception(UnavailableError("the worker is stopping"))
        _tell(left)
        if self._thread.is_alive():
            self._thread.join()

    @property
    def gives_evidence(self) -> bool:
        """Whether the engine tells what each token adds."""
        return self._explaining is not None

    @property
    def is_alive(self) -> bool:
        """Whether the model thread runs."""
        return self._thread.is_alive()

    @property
    def waiting_interactive_windows(self) -> int:
        """Interactive windows waiting for a pass."""
        return len(self._waiting[Priority.INTERACTIVE])

    @property
    def waiting_windows(self) -> int:
        """Windows waiting for a pass."""
        return sum(len(windows) for windows in self._waiting.values())

    @property
    def waiting_texts(self) -> int:
        """Texts with at least one window waiting for a pass."""
        return self._waiting_texts

    def submit(
        self,
        texts: Iterable[Sequence[Sequence[int]]],
        priority: Priority,
        read: threading.Event | None = None,
        loads: Sequence[TextLoad] = (),
    ) -> list[list["Future[WindowResult]"]]:
        """Queue texts, each as its windows of token ids; returns a future per window, by text.

        A future ends as a `WindowResult` or as the error of that window alone. `read` is set after each pass that read
        some of these windows, once for all of them. `loads` has one for each text, or is empty.

        Raises:
            UnavailableError: the batcher is closed.
        """
        by_text = [windows_of(windows, read, load or NO_LOAD) for windows, load in itertools.zip_longest(texts, loads)]
        entries = [window for windows in by_text for window in windows]
        with self._changed:
            if self._closed:
                raise UnavailableError("the worker is stopping")
            self._turns[priority].queue(by_text, self._waiting[priority])
            self._waiting_texts += len(by_text)
            if priority is Priority.INTERACTIVE:
                self.interactive_windows += len(entries)
            self._changed.notify_all()
        return [[window.future for window in windows] for windows in by_text]

    @contextmanager
    def interactive(self) -> Iterator[None]:
        """Context in which interactive texts are processed, from reading their message to sending the answers."""
        with self._changed:
            self._interactive_in_hand += 1
        try:
            yield
        finally:
            with self._changed:
                self._interactive_in_hand -= 1
                self._changed.notify_all()

    def give_way(self) -> None:
        """Wait up to `MAX_BULK_WAIT_S` until no interactive text is in work. Bulk calls it before each step."""
        with self._changed:
            self._changed.wait_for(lambda: not self._interactive_in_hand or self._closed, MAX_BULK_WAIT_S)

    def _run(self) -> None:
        while not self._closed:
            self.beat_at = time.monotonic()
            # Callers that stopped waiting have cancelled their windows, which are skipped.
            batch = [window for window in self._take() if window.future.set_running_or_notify_cancel()]
            if batch:
                self._run_batch(batch)
                _tell(batch)

    def _take(self) -> list[Window]:
        with self._changed:
            if not self.waiting_windows and not self._closed:
                self._changed.wait(IDLE_BEAT_S)
            # An interactive text in work would have to wait for a bulk pass that starts now.
            self._changed.wait_for(self._may_start_pass, MAX_BULK_WAIT_S)
            for priority in self._order():
                if self._waiting[priority]:
                    batch = close_batch(self._waiting[priority], self._max_batch_tokens[priority])
                    self._turns[priority].note(batch, self._waiting_texts, self._waiting[priority])
                    self._waiting_texts -= sum(window.leaves() for window in batch)
                    return batch
        return []

    def _order(self) -> Sequence[Priority]:
        """Interactive first, except that bulk that waits gets one pass every `MAX_BULK_STARVATION_S`."""
        if not all(self._waiting.values()):
            self._bulk_due_at = None
            return (Priority.INTERACTIVE, Priority.BULK)
        now = time.monotonic()
        if self._bulk_due_at is None or now >= self._bulk_due_at:
            is_due = self._bulk_due_at is not None
            self._bulk_due_at = now + MAX_BULK_STARVATION_S
            return (Priority.BULK, Priority.INTERACTIVE) if is_due else (Priority.INTERACTIVE, Priority.BULK)
        return (Priority.INTERACTIVE, Priority.BULK)

    def _may_start_pass(self) -> bool:
        is_only_bulk = self._waiting[Priority.BULK] and not self._waiting[Priority.INTERACTIVE]
        return not (self._interactive_in_hand and is_only_bulk) or self._closed

    def _run_batch(self, batch: list[Window]) -> None:
        try:
            logits, evidence, elapsed_s = self._pass(batch)
        except Exception as error:  # noqa: BLE001  whatever a model raises must end as a named error of its text
            self._run_one_by_one(batch, error)
        else:
            self._deliver(batch, logits, evidence, elapsed_s)

    def _pass(self, batch: list[Window]) -> tuple[Logits, Sequence[Evidence | None], float]:
        started = time.perf_counter()
        rows = [window.token_ids for window in batch]
        evidence: Sequence[Evidence | None] = [None] * len(batch)
        # One text that wants it makes the whole pass give it: it costs less than a pass of its own.
        if self._explaining is not None and any(window.text.load.is_explained for window in batch):
            logits, evidence = self._explaining.run_with_evidence(rows)
        else:
            logits = self._engine.run(rows)
        elapsed_s = time.perf_counter() - started
        if len(logits) != len(batch):
            raise RuntimeError(f"the engine gave {len(logits)} windows for {len(batch)}")
        return logits, evidence, elapsed_s

    def _deliver(
        self, batch: list[Window], logits: Logits, evidence: Sequence[Evidence | None], elapsed_s: float
    ) -> None:
        lengths = [len(window.token_ids) for window in batch]
        texts = sum(window.text_share for window in batch)
        cost = sum(window.text.load.cost * window.text_share for window in batch)
        pass_number = self.stats.record(lengths, texts, elapsed_s, cost)
        for window, window_logits, of_tokens in zip(batch, logits, evidence, strict=True):
            window.future.set_result(WindowResult(window_logits, pass_number, elapsed_s, of_tokens))

    def _run_one_by_one(self, batch: list[Window], error: Exception) -> None:
        """A pass failed: find the windows at fault by running each alone, so that their neighbours are answered."""
        if len(batch) == 1:
            if not batch[0].text.has_failed:
                batch[0].text.has_failed = True
                self.stats.record_failure()
            log.warning("text_failed", tokens=len(batch[0].token_ids), error_type=type(error).__name__)
            failure = PredictionFailedError(f"the model failed on this text ({type(error).__name__})")
            batch[0].future.set_exception(failure)
            return
        log.warning("pass_failed", windows=len(batch), error_type=type(error).__name__)
        for window in batch:
            self.beat_at = time.monotonic()
            self._run_batch([window])


def _tell(windows: Iterable[Window]) -> None:
    """Wake those who wait for some of these windows, each once."""
    for event in {window.text.read for window in windows}:
        if event is not None:
            event.set()


def close_batch(waiting: deque[Window], max_batch_tokens: int) -> list[Window]:
    """Take the oldest window and those of the most similar length, until the token budget, with padding, is full.

    At most `MAX_PADDING_SHARE` of the batch is padding. The oldest window is always taken, even if it alone exceeds the
    budget. Windows that are left keep their order.
    """
    oldest = waiting[0]
    target = len(oldest.token_ids)
    rivals = list(itertools.islice(waiting, 1, LENGTH_SCAN_WINDOWS))
    rivals.sort(key=lambda window: abs(len(window.token_ids) - target))
    batch, longest, tokens = [oldest], target, target
    for window in rivals:
        longest = max(longest, len(window.token_ids))
        tokens += len(window.token_ids)
        padded = longest * (len(batch) + 1)
        if padded > max_batch_tokens or padded - tokens > max(MAX_PADDING_SHARE * padded, PASS_TOKENS):
            break
        batch.append(window)
    taken = set(map(id, batch))
    kept = [window for window in itertools.islice(waiting, LENGTH_SCAN_WINDOWS) if id(window) not in taken]
    for _ in range(min(len(waiting), LENGTH_SCAN_WINDOWS)):
        waiting.popleft()
    waiting.extendleft(reversed(kept))
    return batch
