"""A text that is alone in work is read by the thread that brings it, in place of a model thread."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.support.slow_engine import (
    END,
    THREADS,
    WAIT_S,
    SlowEngine,
    ThreadEnd,
    hold,
    results,
    submit,
    wait_until_idle,
)
from tests.support.stack import wait_until
from worker.inference.batcher import IDLE_BEAT_S, MicroBatcher
from worker.inference.engines.protocol import Logits
from worker.inference.waiting import Priority


def read_alone(batcher: MicroBatcher, row: list[int]) -> Future | None:
    with batcher.interactive():
        return batcher.read_alone([row], Priority.INTERACTIVE)


def test_a_text_alone_in_work_is_read_by_the_thread_that_brings_it(
    batcher: MicroBatcher, engine: SlowEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers: list[int] = []
    run = engine.run

    def note_thread(rows: Sequence[Sequence[int]]) -> Logits:
        readers.append(threading.get_ident())
        return run(rows)

    monkeypatch.setattr(engine, "run", note_thread)
    wait_until_idle(batcher)

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
        assert batcher.read_alone([[4], [5]], Priority.INTERACTIVE) is None
        assert batcher.read_alone([[4]], Priority.BULK) is None


def test_a_task_thread_reads_in_place_of_a_model_thread_not_beside_all(
    batcher: MicroBatcher, engine: SlowEngine
) -> None:
    engine.shut(1)
    wait_until_idle(batcher)
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
    wait_until_idle(batcher)
    with ThreadPoolExecutor(1) as task:
        lone = task.submit(read_alone, batcher, [1])
        assert engine.entered.acquire(timeout=WAIT_S)
        time.sleep(4 * IDLE_BEAT_S)
        assert time.monotonic() - batcher.beat_at > 3 * IDLE_BEAT_S
        engine.gates[1].set()
        lone.result(WAIT_S)
    hung_until = batcher.beat_at
    wait_until(lambda: batcher.beat_at > hung_until, "a later sign of life", WAIT_S)


def test_a_task_thread_that_ends_in_a_pass_is_as_a_model_thread_that_does(
    batcher: MicroBatcher, engine: SlowEngine
) -> None:
    wait_until_idle(batcher)
    with pytest.raises(ThreadEnd):
        read_alone(batcher, [1, END])
    assert not batcher.is_alive
