"""Model threads with an engine whose passes a test holds."""

from collections.abc import Iterator

import pytest

from tests.support.slow_engine import BUDGET, THREADS, SlowEngine
from worker.inference.batcher import MicroBatcher


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
