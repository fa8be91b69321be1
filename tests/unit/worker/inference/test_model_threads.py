"""Several model threads: passes overlap, each thread is watched, and no window is lost, doubled or mixed up."""

import random
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest

from shared.errors import PredictionFailedError, UnavailableError
from worker.inference.batcher import IDLE_BEAT_S, MicroBatcher
from worker.inference.engines.protocol import Logits
from worker.inference.stats import BatchStats, PassTime, seconds_covered
from worker.inference.waiting import MIN_SHARE_TOKENS, Priority

WAIT_S = 10
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


@pytest.fixture
def engine() -> SlowEngine:
    return SlowEngine()


@pytest.fixture
def batcher(engine: SlowEngine) -> Iterator[MicroBatcher]:
    batcher = MicroBatcher(engine, threads=THREADS, max_batch_tokens=BUDGET)
    batcher.start()
    yield batcher
    for gate in engine.gates.values():
        gate.set()
    batcher.close()


def submit(batcher: MicroBatcher, rows: Sequence[list[int]], priority: Priority = Priority.INTERACTIVE) -> list[Future]:
    """Queue texts of one window each."""
    return [future for (future,) in batcher.submit([[row] for row in rows], priority)]


def results(futures: Sequence[Future]) -> list[float]:
    return [future.result(WAIT_S).logits[0] for future in futures]


def hold(batcher: MicroBatcher, engine: SlowEngine, tokens: Sequence[int]) -> list[Future]:
    """Occupy a model thread for each of these tokens."""
    held = []
    for token in tokens:
        engine.shut(token)
        held += submit(batcher, [[token]])
        assert engine.entered.acquire(timeout=WAIT_S)
    return held


def test_two_passes_overlap(batcher: MicroBatcher, engine: SlowEngine) -> None:
    held = hold(batcher, engine, [1, 2])

    assert engine.running == 2
    engine.gates[2].set()
    engine.gates[1].set()
    assert results(held) == [1, 2]


def test_a_long_pass_does_not_keep_a_text_from_another_thread(batcher: MicroBatcher, engine: SlowEngine) -> None:
    (held,) = hold(batcher, engine, [1])

    assert results(submit(batcher, [[5]])) == [5]
    assert not held.done()


def test_few_tokens_are_one_pass_though_a_thread_is_free(batcher: MicroBatcher, engine: SlowEngine) -> None:
    assert results(submit(batcher, [[1] * 8, [2] * 8, [3] * 8])) == [1, 2, 3]
    assert engine.passes == [[1, 2, 3]]


def test_many_tokens_are_divided_among_free_threads(batcher: MicroBatcher, engine: SlowEngine) -> None:
    rows = [[number] + [0] * 15 for number in range(1, 13)]  # three quarters of one pass
    gate = engine.shut(1)
    futures = submit(batcher, rows)
    assert all(engine.entered.acquire(timeout=WAIT_S) for _ in range(2))
    gate.set()

    assert results(futures) == list(range(1, 13))
    assert sorted(map(len, engine.passes)) == [6, 6]


def test_what_waited_for_a_thread_is_one_pass_while_the_other_is_busy(
    batcher: MicroBatcher, engine: SlowEngine
) -> None:
    hold(batcher, engine, [101, 102])
    futures = submit(batcher, [[number] + [0] * 15 for number in range(1, 13)])
    engine.gates[101].set()

    assert results(futures) == list(range(1, 13))
    assert engine.passes[2:] == [list(range(1, 13))]


def test_a_stuck_thread_is_seen_though_the_other_goes_on(batcher: MicroBatcher, engine: SlowEngine) -> None:
    hold(batcher, engine, [1])
    # By now the other thread has reported, so the one that is held has been silent longest.
    time.sleep(2 * IDLE_BEAT_S)
    stuck_since = batcher.beat_at
    until = time.monotonic() + 2 * IDLE_BEAT_S
    while time.monotonic() < until:
        assert results(submit(batcher, [[5]])) == [5]
        time.sleep(0.05)

    assert batcher.beat_at == stuck_since
    engine.gates[1].set()
    until = time.monotonic() + WAIT_S
    while batcher.beat_at == stuck_since and time.monotonic() < until:
        time.sleep(0.05)
    assert batcher.beat_at > stuck_since


def test_idle_threads_all_go_on_saying_that_they_live(batcher: MicroBatcher) -> None:
    before = batcher.beat_at
    deadline = time.monotonic() + WAIT_S
    while batcher.beat_at == before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert batcher.beat_at > before


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_one_dead_thread_is_enough_to_be_dead(batcher: MicroBatcher) -> None:
    assert batcher.is_alive
    submit(batcher, [[END]])
    deadline = time.monotonic() + WAIT_S
    while batcher.is_alive and time.monotonic() < deadline:
        time.sleep(0.01)

    assert not batcher.is_alive
    assert results(submit(batcher, [[5]])) == [5]


def test_closing_waits_for_every_pass_under_way_and_fails_what_waits(batcher: MicroBatcher, engine: SlowEngine) -> None:
    held = hold(batcher, engine, [1, 2])
    (waiting,) = submit(batcher, [[3]])
    closing = threading.Thread(target=batcher.close)
    closing.start()
    with pytest.raises(UnavailableError):
        waiting.result(WAIT_S)
    assert closing.is_alive()
    engine.gates[1].set()
    engine.gates[2].set()
    closing.join(WAIT_S)

    assert results(held) == [1, 2]
    assert not batcher.is_alive


def test_no_thread_begins_a_bulk_pass_while_an_interactive_text_is_on_its_way(
    batcher: MicroBatcher, engine: SlowEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.inference.batcher.MAX_BULK_WAIT_S", WAIT_S)
    with batcher.interactive():
        (held,) = hold(batcher, engine, [1])
        bulk = submit(batcher, [[2]], Priority.BULK)
        time.sleep(0.1)
        assert engine.passes == [[1]]
        engine.gates[1].set()
        results([held])
    assert results(bulk) == [2]


def test_threads_share_one_limit_on_bulk_beside_interactive_texts(
    batcher: MicroBatcher, engine: SlowEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.inference.batcher.MAX_BULK_WAIT_S", 0.2)
    with batcher.interactive():
        started = time.monotonic()
        results(submit(batcher, [[1] * BUDGET, [2] * BUDGET, [3] * BUDGET], Priority.BULK))
        # Each of the three waits for its turn, whichever thread takes it.
        assert time.monotonic() - started >= 3 * 0.2
    assert engine.most_running == 1


def read_alone(batcher: MicroBatcher, row: list[int]) -> Future | None:
    with batcher.interactive():
        futures = batcher.read_alone([[row]], Priority.INTERACTIVE)
    return None if futures is None else futures[0][0]


def test_a_text_alone_in_work_is_read_by_the_thread_that_brings_it(
    batcher: MicroBatcher, engine: SlowEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers: list[int] = []
    run = engine.run

    def note_thread(rows: Sequence[Sequence[int]]) -> Logits:
        readers.append(threading.get_ident())
        return run(rows)

    monkeypatch.setattr(engine, "run", note_thread)
    time.sleep(0.05)  # until the model threads wait

    future = read_alone(batcher, [1])

    assert future is not None
    assert future.done()
    assert results([future]) == [1]
    assert readers == [threading.get_ident()]
    assert batcher.stats.snapshot().texts == 1


def test_a_text_is_read_by_a_model_thread_where_anything_else_is_in_work(
    batcher: MicroBatcher, engine: SlowEngine
) -> None:
    (held,) = hold(batcher, engine, [1])
    assert read_alone(batcher, [2]) is None
    engine.gates[1].set()
    results([held])
    with batcher.interactive():
        assert read_alone(batcher, [3]) is None
    with batcher.interactive():
        assert batcher.read_alone([[[4], [5]]], Priority.INTERACTIVE) is None
        assert batcher.read_alone([[[4]], [[5]]], Priority.INTERACTIVE) is None
        assert batcher.read_alone([[[4]]], Priority.BULK) is None


def test_a_task_thread_reads_in_place_of_a_model_thread_not_beside_all(
    batcher: MicroBatcher, engine: SlowEngine
) -> None:
    engine.shut(1)
    time.sleep(0.05)
    with ThreadPoolExecutor(1) as task:
        lone = task.submit(read_alone, batcher, [1])
        assert engine.entered.acquire(timeout=WAIT_S)
        later = hold(batcher, engine, [2])
        waits = submit(batcher, [[3]])
        time.sleep(0.1)
        assert engine.passes == [[1], [2]]

        engine.gates[1].set()
        read = lone.result(WAIT_S)
        assert read is not None
        assert results([read]) == [1]
        assert results(waits) == [3]
    engine.gates[2].set()
    assert results(later) == [2]
    assert engine.most_running == THREADS


def test_a_pass_that_hangs_in_a_task_thread_is_seen(batcher: MicroBatcher, engine: SlowEngine) -> None:
    engine.shut(1)
    time.sleep(0.05)
    with ThreadPoolExecutor(1) as task:
        lone = task.submit(read_alone, batcher, [1])
        assert engine.entered.acquire(timeout=WAIT_S)
        time.sleep(4 * IDLE_BEAT_S)
        assert time.monotonic() - batcher.beat_at > 3 * IDLE_BEAT_S
        engine.gates[1].set()
        lone.result(WAIT_S)
    assert time.monotonic() - batcher.beat_at < 3 * IDLE_BEAT_S


def test_a_task_thread_that_ends_in_a_pass_is_as_a_model_thread_that_does(
    batcher: MicroBatcher, engine: SlowEngine
) -> None:
    time.sleep(0.05)
    with pytest.raises(ThreadEnd):
        read_alone(batcher, [1, END])
    assert not batcher.is_alive


@pytest.mark.parametrize("threads", [2, 5])
def test_of_many_callers_texts_each_gets_its_own_answer_and_only_those_at_fault_fail(threads: int) -> None:
    engine = SlowEngine()
    batcher = MicroBatcher(engine, threads=threads, max_batch_tokens=96, max_bulk_batch_tokens=48)
    batcher.start()

    def call(caller: int) -> None:
        dice = random.Random(caller)
        for turn in range(20):
            token = 1_000 + caller * 100 + turn
            rows = [[token + 5_000 * n] + [0] * dice.randrange(30) for n in range(dice.randrange(1, 6))]
            if not dice.randrange(5):
                rows[0].append(POISON)
            futures = submit(batcher, rows, dice.choice(list(Priority)))
            cancelled = not dice.randrange(6) and futures[-1].cancel()
            for row, future in zip(rows[:-1] if cancelled else rows, futures, strict=False):
                if POISON in row:
                    assert isinstance(future.exception(WAIT_S), PredictionFailedError)
                else:
                    assert future.result(WAIT_S).logits[0] == row[0]

    with ThreadPoolExecutor(8) as callers:
        list(callers.map(call, range(8)))
    batcher.close()

    assert (batcher.waiting_windows, batcher.waiting_texts, engine.running) == (0, 0, 0)


def test_passes_at_the_same_time_divide_the_time_among_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 2.0, 4.0, 10.0])
    monkeypatch.setattr("worker.inference.stats.time.perf_counter", lambda: next(clock))
    stats = BatchStats()
    first, second = stats.begin_pass(), stats.begin_pass()

    assert stats.end_pass(first) == PassTime(0.0, 4.0, 3.0)
    assert stats.end_pass(second) == PassTime(2.0, 10.0, 7.0)


def test_the_speed_is_that_of_all_threads_together() -> None:
    stats = BatchStats()
    for _ in range(2):
        stats.record([16] * 4, 4.0, PassTime(0.0, 1.0, 0.5), cost=40)

    snapshot = stats.snapshot()
    assert (snapshot.texts_per_s, snapshot.cost_per_s) == (8.0, 80.0)


def test_the_time_of_a_text_counts_moments_in_which_several_of_its_passes_ran_once() -> None:
    passes = [PassTime(0.0, 2.0, 2.0), PassTime(1.0, 3.0, 1.0), PassTime(1.5, 1.6, 0.1), PassTime(5.0, 6.0, 1.0)]

    assert seconds_covered(passes) == 4.0
