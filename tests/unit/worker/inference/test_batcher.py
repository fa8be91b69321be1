import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future

import numpy as np
import pytest

from bundles.windows import SentenceIds
from shared.errors import PredictionFailedError, UnavailableError
from tests.support.stack import wait_until
from worker.inference.batcher import MicroBatcher
from worker.inference.engines.protocol import Logits
from worker.inference.stats import BatchStats, PassTime
from worker.inference.waiting import Priority

WAIT_S = 10
POISON = 666


class GatedEngine:
    """An engine that notes each pass and, while its gate is shut, holds it."""

    def __init__(self) -> None:
        self.passes: list[list[int]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)

    def run(self, rows: Sequence[Sequence[int]]) -> Logits:
        self.passes.append([row[0] for row in rows])
        self.entered.release()
        assert self.gate.wait(WAIT_S)
        if any(POISON in row for row in rows):
            raise FloatingPointError
        return np.array([[row[0]] for row in rows], dtype=np.float32)


@pytest.fixture
def engine() -> GatedEngine:
    return GatedEngine()


@pytest.fixture
def batcher(engine: GatedEngine) -> Iterator[MicroBatcher]:
    batcher = MicroBatcher(engine, max_batch_tokens=32)
    batcher.start()
    yield batcher
    engine.gate.set()
    batcher.close()


def submit(batcher: MicroBatcher, rows: Sequence[list[int]], priority: Priority) -> list[Future]:
    """Queue texts of one window each."""
    return list(batcher.submit([[row] for row in rows], priority))


def hold_the_model(batcher: MicroBatcher, engine: GatedEngine) -> Future:
    """Occupy the model thread, so that what is submitted next waits together."""
    engine.gate.clear()
    (held,) = submit(batcher, [[0]], Priority.INTERACTIVE)
    assert engine.entered.acquire(timeout=WAIT_S)
    return held


def results(futures: Sequence[Future]) -> list[float]:
    return [window.logits[0] for future in futures for window in future.result(WAIT_S)]


def test_a_lone_row_is_run_without_waiting_for_company(batcher: MicroBatcher) -> None:
    assert results(submit(batcher, [[5, 5]], Priority.INTERACTIVE)) == [5]


def test_rows_that_wait_together_are_run_together_and_each_gets_its_own_logits(
    batcher: MicroBatcher, engine: GatedEngine
) -> None:
    hold_the_model(batcher, engine)
    futures = submit(batcher, [[1], [2], [3]], Priority.INTERACTIVE)
    engine.gate.set()

    assert results(futures) == [1, 2, 3]
    assert engine.passes[1:] == [[1, 2, 3]]


def test_interactive_rows_go_before_bulk_rows_that_came_first(batcher: MicroBatcher, engine: GatedEngine) -> None:
    hold_the_model(batcher, engine)
    bulk = submit(batcher, [[1], [2]], Priority.BULK)
    interactive = submit(batcher, [[3]], Priority.INTERACTIVE)
    engine.gate.set()
    results([*bulk, *interactive])

    assert engine.passes[1:] == [[3], [1, 2]]


def test_no_bulk_pass_begins_while_an_interactive_text_is_on_its_way(
    batcher: MicroBatcher, engine: GatedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.inference.batcher.MAX_BULK_WAIT_S", WAIT_S)
    with batcher.interactive():
        bulk = submit(batcher, [[1]], Priority.BULK)
        results(submit(batcher, [[2]], Priority.INTERACTIVE))
        assert engine.passes == [[2]]
    results(bulk)

    assert engine.passes == [[2], [1]]


def test_bulk_goes_on_though_interactive_texts_come_without_a_pause(batcher: MicroBatcher) -> None:
    with batcher.interactive():
        assert results(submit(batcher, [[1]], Priority.BULK)) == [1]
        batcher.give_way()


def test_bulk_work_gives_way_until_the_interactive_text_is_answered(
    batcher: MicroBatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.inference.batcher.MAX_BULK_WAIT_S", WAIT_S)
    order: list[str] = []

    def bulk() -> None:
        batcher.give_way()
        order.append("bulk")

    with batcher.interactive():
        hand = threading.Thread(target=bulk)
        hand.start()
        results(submit(batcher, [[1]], Priority.INTERACTIVE))
        order.append("interactive")
    hand.join(WAIT_S)

    assert order == ["interactive", "bulk"]


def test_a_failing_pass_is_repeated_row_by_row_and_only_the_row_at_fault_fails(
    batcher: MicroBatcher, engine: GatedEngine
) -> None:
    hold_the_model(batcher, engine)
    first, broken, last = submit(batcher, [[1, 1], [2, POISON], [3, 3]], Priority.INTERACTIVE)
    engine.gate.set()

    assert results([first, last]) == [1, 3]
    with pytest.raises(PredictionFailedError):
        broken.result(WAIT_S)
    assert batcher.stats.snapshot().failed_texts == 1


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_a_row_whose_scores_are_no_numbers_fails_alone(score: float) -> None:
    class Engine:
        def run(self, rows: Sequence[Sequence[int]]) -> Logits:
            return np.array([[score if row[0] == POISON else row[0], 0] for row in rows], dtype=np.float32)

    batcher = MicroBatcher(Engine(), max_batch_tokens=32)
    first, broken, last = submit(batcher, [[1], [POISON], [3]], Priority.INTERACTIVE)
    batcher.start()

    assert results([first, last]) == [1, 3]
    with pytest.raises(PredictionFailedError):
        broken.result(WAIT_S)
    batcher.close()


def test_a_row_whose_caller_left_is_not_computed(batcher: MicroBatcher, engine: GatedEngine) -> None:
    hold_the_model(batcher, engine)
    left, stays = submit(batcher, [[1], [2]], Priority.INTERACTIVE)
    assert left.cancel()
    engine.gate.set()

    assert results([stays]) == [2]
    assert engine.passes[1:] == [[2]]


def test_a_text_ends_when_all_its_windows_have_been_read_in_whatever_order(
    batcher: MicroBatcher, engine: GatedEngine
) -> None:
    told: list[list[Future]] = []
    hold_the_model(batcher, engine)
    (read,) = batcher.submit(
        [[[1] * 16, [2] * 30, [3] * 16]], Priority.INTERACTIVE, lambda ended: told.append([*ended])
    )
    engine.gate.set()

    assert results([read]) == [1, 2, 3]
    assert engine.passes[1:] == [[1, 3], [2]]
    wait_until(lambda: told == [[read]], "one notice of the text", WAIT_S)


def test_closing_ends_every_row_that_waits_with_a_named_error(batcher: MicroBatcher, engine: GatedEngine) -> None:
    held = hold_the_model(batcher, engine)
    (waiting,) = submit(batcher, [[1]], Priority.BULK)
    closing = threading.Thread(target=batcher.close)
    closing.start()

    with pytest.raises(UnavailableError):
        waiting.result(WAIT_S)
    engine.gate.set()
    closing.join(WAIT_S)
    assert results([held]) == [0]
    with pytest.raises(UnavailableError):
        submit(batcher, [[1]], Priority.BULK)


def test_the_counters_tell_tokens_from_padding(batcher: MicroBatcher, engine: GatedEngine) -> None:
    hold_the_model(batcher, engine)
    futures = submit(batcher, [[1] * 9, [2] * 10], Priority.INTERACTIVE)
    engine.gate.set()
    results(futures)

    snapshot = batcher.stats.snapshot()
    assert (snapshot.texts, snapshot.batches, snapshot.tokens, snapshot.padding_tokens) == (3, 2, 20, 1)
    assert snapshot.mean_batch_size == 1.5


def test_an_idle_model_thread_goes_on_saying_that_it_lives(batcher: MicroBatcher) -> None:
    before = batcher.beat_at
    deadline = time.monotonic() + WAIT_S
    while batcher.beat_at == before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert batcher.beat_at > before


def test_the_figures_count_texts_whatever_the_number_of_their_windows(
    batcher: MicroBatcher, engine: GatedEngine
) -> None:
    hold_the_model(batcher, engine)
    long, short = batcher.submit([[[1] * 16] * 8, [[2] * 16]], Priority.INTERACTIVE)
    assert (batcher.waiting_windows, batcher.waiting_texts) == (9, 2)
    engine.gate.set()
    assert results([long, short]) == [1] * 8 + [2]

    snapshot = batcher.stats.snapshot()
    assert (snapshot.texts, snapshot.tokens) == (3, 9 * 16 + 1)
    assert batcher.waiting_texts == 0


def test_the_speed_is_in_texts_so_that_long_ones_are_slower() -> None:
    rows_of_short_texts, rows_of_long_ones = BatchStats(), BatchStats()
    rows_of_short_texts.record([16] * 4, 4.0, PassTime(0.0, 0.5, 0.5))
    rows_of_long_ones.record([16] * 4, 4 / 8, PassTime(0.0, 0.5, 0.5))

    assert rows_of_short_texts.snapshot().texts_per_s == 8.0
    assert rows_of_long_ones.snapshot().texts_per_s == 1.0


def test_a_text_of_which_several_windows_fail_is_one_failed_text(batcher: MicroBatcher) -> None:
    (broken,) = batcher.submit([[[POISON], [1], [POISON]]], Priority.INTERACTIVE)

    with pytest.raises(PredictionFailedError):
        broken.result(WAIT_S)
    assert batcher.stats.snapshot().failed_texts == 1


def test_what_a_sentence_is_discounted_is_taken_off_its_logits(batcher: MicroBatcher) -> None:
    (read,) = batcher.submit([[[7, 8], SentenceIds([7], 0.5)]], Priority.INTERACTIVE)

    whole, sentence = read.result(WAIT_S)
    assert (whole.logits.tolist(), whole.is_sentence) == ([7], False)
    assert (sentence.logits.tolist(), sentence.is_sentence) == ([6.5], True)
