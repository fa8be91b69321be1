"""The micro-batcher: task threads put token rows in, one model thread takes them out in batches.

Closing a batch by a token budget, after Hugging Face's text-embeddings-inference (`core/src/queue.rs`); grouping by
length, because on a CPU padding costs as much as text. No timer: the model thread takes what is there.
"""

import itertools
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum

from shared.errors import PredictionFailedError, UnavailableError
from shared.log import get_logger
from worker.inference.engines.protocol import Engine, Logits
from worker.inference.stats import BatchStats

log = get_logger(__name__)

# How often an idle model thread says that it lives.
IDLE_BEAT_S = 0.5
# For so long at most bulk holds back at a time while an interactive text is on its way through this worker: several
# times what a text takes, so that bulk goes on, if slowly, where they come without a pause.
COURTESY_S = 0.02
# How many waiting rows are looked at for ones of like length: bounds the cost of closing a batch.
LENGTH_SCAN_ROWS = 512
# Padding costs what text costs. Two and three times this share made no difference that could be measured
# (docs/performance.md).
MAX_PADDING_SHARE = 0.1


class Priority(IntEnum):
    """Interactive rows always go before bulk rows."""

    INTERACTIVE = 0
    BULK = 1


@dataclass(frozen=True)
class RowResult:
    """Logits `[labels]` of one row, and the number and the seconds of the pass that it was part of."""

    logits: Logits
    pass_number: int
    inference_s: float


@dataclass(eq=False)
class _Row:
    token_ids: Sequence[int]
    future: "Future[RowResult]" = field(default_factory=Future)


class MicroBatcher:
    """Owns the model thread. `submit` may be called from any thread; the engine is called from one only."""

    def __init__(self, engine: Engine, *, max_batch_tokens: int, max_bulk_batch_tokens: int | None = None) -> None:
        self.stats = BatchStats()
        self.beat_at = time.monotonic()
        self.interactive_rows = 0
        self._engine = engine
        # A bulk pass is what an interactive text may have to wait for, so it may be made shorter.
        self._max_batch_tokens = {
            Priority.INTERACTIVE: max_batch_tokens,
            Priority.BULK: max_bulk_batch_tokens or max_batch_tokens,
        }
        self._waiting: dict[Priority, deque[_Row]] = {priority: deque() for priority in Priority}
        self._changed = threading.Condition()
        self._interactive_in_hand = 0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)

    def start(self) -> None:
        """Start the model thread."""
        self._thread.start()

    def close(self) -> None:
        """Stop after the current pass; rows that still wait fail with `UnavailableError`."""
        with self._changed:
            self._closed = True
            left = [row for rows in self._waiting.values() for row in rows]
            for rows in self._waiting.values():
                rows.clear()
            self._changed.notify_all()
        for row in left:
            row.future.set_exception(UnavailableError("the worker is stopping"))
        if self._thread.is_alive():
            self._thread.join()

    @property
    def is_alive(self) -> bool:
        """Whether the model thread runs."""
        return self._thread.is_alive()

    @property
    def waiting_interactive_rows(self) -> int:
        """Interactive rows that no pass has taken yet."""
        return len(self._waiting[Priority.INTERACTIVE])

    @property
    def waiting_rows(self) -> int:
        """Rows that no pass has taken yet."""
        return sum(len(rows) for rows in self._waiting.values())

    def submit(self, rows: Iterable[Sequence[int]], priority: Priority) -> "list[Future[RowResult]]":
        """Queue token rows; each future ends as a `RowResult` or as the error of that row alone.

        Raises:
            UnavailableError: the batcher is closed.
        """
        entries = [_Row(token_ids) for token_ids in rows]
        with self._changed:
            if self._closed:
                raise UnavailableError("the worker is stopping")
            self._waiting[priority].extend(entries)
            if priority is Priority.INTERACTIVE:
                self.interactive_rows += len(entries)
            self._changed.notify_all()
        return [entry.future for entry in entries]

    @contextmanager
    def interactive(self) -> Iterator[None]:
        """Around the whole of what is done for interactive texts, from reading their message to sending the answers."""
        with self._changed:
            self._interactive_in_hand += 1
        try:
            yield
        finally:
            with self._changed:
                self._interactive_in_hand -= 1
                self._changed.notify_all()

    def give_way(self) -> None:
        """Wait until no interactive text is in hand, `COURTESY_S` at most; bulk does so before each piece of work."""
        with self._changed:
            self._changed.wait_for(lambda: not self._interactive_in_hand or self._closed, COURTESY_S)

    def _run(self) -> None:
        while not self._closed:
            self.beat_at = time.monotonic()
            # Callers who stopped waiting cancel their rows; nothing is computed for them.
            batch = [row for row in self._take() if row.future.set_running_or_notify_cancel()]
            if batch:
                self._infer(batch)

    def _take(self) -> list[_Row]:
        with self._changed:
            if not self.waiting_rows and not self._closed:
                self._changed.wait(IDLE_BEAT_S)
            # A bulk pass begun now is one that the text in hand would have to wait for.
            self._changed.wait_for(self._is_nobody_expected, COURTESY_S)
            for priority in Priority:
                if self._waiting[priority]:
                    return close_batch(self._waiting[priority], self._max_batch_tokens[priority])
        return []

    def _is_nobody_expected(self) -> bool:
        is_only_bulk = self._waiting[Priority.BULK] and not self._waiting[Priority.INTERACTIVE]
        return not (self._interactive_in_hand and is_only_bulk) or self._closed

    def _infer(self, batch: list[_Row]) -> None:
        try:
            logits, elapsed_s = self._pass(batch)
        except Exception as error:  # noqa: BLE001  whatever a model raises must end as a named error of its text
            self._isolate(batch, error)
        else:
            self._finish(batch, logits, elapsed_s)

    def _pass(self, batch: list[_Row]) -> tuple[Logits, float]:
        started = time.perf_counter()
        logits = self._engine.run([row.token_ids for row in batch])
        elapsed_s = time.perf_counter() - started
        if len(logits) != len(batch):
            raise RuntimeError(f"the engine gave {len(logits)} rows for {len(batch)}")
        return logits, elapsed_s

    def _finish(self, batch: list[_Row], logits: Logits, elapsed_s: float) -> None:
        pass_number = self.stats.record([len(row.token_ids) for row in batch], elapsed_s)
        for row, row_logits in zip(batch, logits, strict=True):
            row.future.set_result(RowResult(row_logits, pass_number, elapsed_s))

    def _isolate(self, batch: list[_Row], error: Exception) -> None:
        """A pass failed: find the rows at fault by running each alone, so that their neighbours are answered."""
        if len(batch) == 1:
            self.stats.record_failure()
            log.warning("text_failed", tokens=len(batch[0].token_ids), error_type=type(error).__name__)
            failure = PredictionFailedError(f"the model failed on this text ({type(error).__name__})")
            batch[0].future.set_exception(failure)
            return
        log.warning("pass_failed", rows=len(batch), error_type=type(error).__name__)
        for row in batch:
            self.beat_at = time.monotonic()
            self._infer([row])


def close_batch(waiting: deque[_Row], max_batch_tokens: int) -> list[_Row]:
    """Take the oldest row and those nearest to it in length, until the budget, padding included, is full.

    No more than `MAX_PADDING_SHARE` of the batch is padding. The oldest row is always taken, even when it alone is over
    the budget. The others keep their order.
    """
    oldest = waiting[0]
    target = len(oldest.token_ids)
    rivals = list(itertools.islice(waiting, 1, LENGTH_SCAN_ROWS))
    rivals.sort(key=lambda row: abs(len(row.token_ids) - target))
    batch, longest, tokens = [oldest], target, target
    for row in rivals:
        longest = max(longest, len(row.token_ids))
        tokens += len(row.token_ids)
        padded = longest * (len(batch) + 1)
        if padded > max_batch_tokens or padded - tokens > MAX_PADDING_SHARE * padded:
            break
        batch.append(row)
    taken = set(map(id, batch))
    kept = [row for row in itertools.islice(waiting, LENGTH_SCAN_ROWS) if id(row) not in taken]
    for _ in range(min(len(waiting), LENGTH_SCAN_ROWS)):
        waiting.popleft()
    waiting.extendleft(reversed(kept))
    return batch
