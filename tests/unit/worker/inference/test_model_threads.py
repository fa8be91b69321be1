"""Several model threads: passes overlap, each thread is watched, and no window is lost, doubled or mixed up."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.errors import PredictionFailedError, UnavailableError
from tests.support.slow_engine import BUDGET, END, POISON, WAIT_S, SlowEngine, hold, results, submit
from worker.inference.batcher import IDLE_BEAT_S, MicroBatcher
from worker.inference.waiting import Priority


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
                    assert results([future]) == [row[0]]

    with ThreadPoolExecutor(8) as callers:
        list(callers.map(call, range(8)))
    batcher.close()

    assert (batcher.waiting_windows, batcher.waiting_texts, engine.running) == (0, 0, 0)
