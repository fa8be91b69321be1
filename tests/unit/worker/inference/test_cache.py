import threading
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

from bundles.format import load_bundle
from shared.errors import PredictionFailedError
from shared.messages import Answer, TextItem
from shared.options import VerdictOptions
from shared.settings import Settings
from shared.verdict import Verdict
from tests.support.echo import echo_logits, echo_scores
from worker.inference.batcher import MicroBatcher
from worker.inference.cache import ResultCache
from worker.inference.classifier import Classifier
from worker.inference.engines.protocol import Logits
from worker.inference.stats import PassTime
from worker.inference.tokenizer import BundleTokenizer
from worker.inference.turns import TextResults, WindowResult
from worker.inference.verdict import Judge
from worker.inference.waiting import Priority

MIB = 1024 * 1024
LABELS = 12


class CountingEngine:
    """`echo_logits` behind a gate; counts the rows, and may break."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.rows = 0
        self.is_broken = False

    def run(self, rows: Sequence[Sequence[int]]) -> Logits:
        self.gate.wait(20)
        self.rows += len(rows)
        if self.is_broken:
            raise ValueError("no")
        return np.stack([echo_logits(row) for row in rows])


@pytest.fixture
def engine() -> CountingEngine:
    return CountingEngine()


@pytest.fixture
def classifier(engine: CountingEngine, echo_bundle: Path) -> Iterator[Classifier]:
    bundle = load_bundle(echo_bundle)
    batcher = MicroBatcher(engine, max_batch_tokens=256)
    batcher.start()
    built = Classifier(bundle, BundleTokenizer(bundle, max_windows=2), batcher, Judge(bundle.config, {}))
    built.cache = ResultCache(MIB)
    yield built
    engine.gate.set()
    batcher.close()


def answers_to(
    classifier: Classifier, texts: list[str], options: Sequence[VerdictOptions] = (), timeout_s: float = 20
) -> list[Answer]:
    items = [TextItem(index, text) for index, text in enumerate(texts)]
    groups = classifier.answers_as_done(items, time.monotonic() + timeout_s, options)
    return sorted((answer for group in groups for answer in group), key=lambda answer: answer.id)


def in_thread(action: "list[list[Answer]]", classifier: Classifier, texts: list[str]) -> threading.Thread:
    thread = threading.Thread(target=lambda: action.append(answers_to(classifier, texts)))
    thread.start()
    return thread


def wait_for_waiters(classifier: Classifier, joined: int) -> None:
    deadline = time.monotonic() + 20
    while classifier.cache.joined_hits < joined and time.monotonic() < deadline:
        time.sleep(0.01)
    assert classifier.cache.joined_hits == joined


def put(cache: ResultCache, text: str, windows: int = 1) -> None:
    _, flight, is_leader = cache.find(text, Priority.INTERACTIVE)
    assert flight is not None
    assert is_leader
    read: Future[TextResults] = Future()
    flight.follow(read)
    read.set_result(
        [WindowResult(np.full(LABELS, number, np.float32), PassTime(0.0, 0.1, 0.1)) for number in range(windows)]
    )


def test_it_is_off_by_default_and_every_text_is_read() -> None:
    assert Settings().result_cache_mb == 0
    assert not ResultCache(0).is_on


def test_without_a_cache_a_repeated_text_is_read_again(classifier: Classifier, engine: CountingEngine) -> None:
    classifier.cache = ResultCache(0)
    first, second = answers_to(classifier, ["같은 글", "같은 글"])

    assert engine.rows == 2
    assert not first.is_cached
    assert not second.is_cached


def test_a_repeated_text_is_read_once_and_has_the_same_verdict(classifier: Classifier, engine: CountingEngine) -> None:
    (first,) = answers_to(classifier, ["같은 글"])
    (second,) = answers_to(classifier, ["같은 글"])

    assert engine.rows == 1
    assert (first.is_cached, second.is_cached) == (False, True)
    assert first.verdict == second.verdict
    assert (classifier.cache.misses, classifier.cache.stored_hits) == (1, 1)


def test_a_long_text_is_kept_with_all_its_windows(classifier: Classifier) -> None:
    text = "길다" * 12
    (first,) = answers_to(classifier, [text])
    (second,) = answers_to(classifier, [text])

    assert isinstance(first.verdict, Verdict)
    assert first.verdict.windows == 2
    assert second.is_cached
    assert first.verdict == second.verdict


def test_equal_texts_in_flight_are_read_once(classifier: Classifier, engine: CountingEngine) -> None:
    engine.gate.clear()
    done: list[list[Answer]] = []
    threads = [in_thread(done, classifier, ["같은 글", "같은 글"]) for _ in range(3)]
    wait_for_waiters(classifier, 5)
    engine.gate.set()
    for thread in threads:
        thread.join(20)

    assert engine.rows == 1
    assert sorted(answer.is_cached for answers in done for answer in answers) == [False, *[True] * 5]
    assert len({str(answer.verdict) for answers in done for answer in answers}) == 1


def test_a_text_is_read_for_those_who_wait_when_the_first_one_has_left(
    classifier: Classifier, engine: CountingEngine
) -> None:
    engine.gate.clear()
    classifier.batcher.submit([[[1]]], Priority.INTERACTIVE)  # occupies the model thread
    first: list[list[Answer]] = []
    hurried = threading.Thread(target=lambda: first.append(answers_to(classifier, ["같은 글"], timeout_s=1)))
    hurried.start()
    while not classifier.cache.misses:
        time.sleep(0.01)
    second: list[list[Answer]] = []
    patient = in_thread(second, classifier, ["같은 글"])
    hurried.join(20)
    engine.gate.set()
    patient.join(20)

    assert first[0][0].failure is not None
    assert first[0][0].failure.code == "deadline_exceeded"
    assert isinstance(second[0][0].verdict, Verdict)


def test_a_text_that_nobody_waits_for_is_not_read_and_can_be_asked_again(
    classifier: Classifier, engine: CountingEngine
) -> None:
    engine.gate.clear()
    classifier.batcher.submit([[[1]]], Priority.INTERACTIVE)  # occupies the model thread
    time.sleep(0.1)
    answers_to(classifier, ["같은 글", "같은 글"], timeout_s=0.2)
    engine.gate.set()

    (again,) = answers_to(classifier, ["같은 글"])

    assert isinstance(again.verdict, Verdict)
    assert not again.is_cached
    assert engine.rows == 2


def test_a_failure_is_not_kept(classifier: Classifier, engine: CountingEngine) -> None:
    engine.is_broken = True
    first, second = answers_to(classifier, ["같은 글", "같은 글"])
    engine.is_broken = False
    (third,) = answers_to(classifier, ["같은 글"])

    assert first.failure is not None
    assert first.failure.code == PredictionFailedError.code
    assert second.failure == first.failure
    assert isinstance(third.verdict, Verdict)


def test_a_text_that_is_too_long_fails_each_time_by_name(classifier: Classifier) -> None:
    for answer in answers_to(classifier, ["길다" * 100, "길다" * 100]):
        assert answer.failure is not None
        assert answer.failure.code == "text_too_long"


def test_an_interactive_text_does_not_wait_for_a_bulk_one() -> None:
    cache = ResultCache(MIB)
    _, bulk, _ = cache.find("같은 글", Priority.BULK)
    _, interactive, is_leader = cache.find("같은 글", Priority.INTERACTIVE)
    _, another, leads_another = cache.find("같은 글", Priority.BULK)

    assert is_leader
    assert interactive is not bulk
    assert another is interactive
    assert not leads_another


def test_rows_of_jobs_are_read_once(classifier: Classifier, engine: CountingEngine) -> None:
    outcomes = classifier.outcomes_in_order(["같은 글", "다른 글", "같은 글"])

    assert outcomes[0] == outcomes[2] != outcomes[1]
    assert engine.rows == 2


def test_options_are_those_of_each_text(classifier: Classifier, engine: CountingEngine) -> None:
    text = next(
        text
        for text in map("글 {}".format, range(100))
        if max(found := echo_scores(text), key=found.__getitem__) == "curse"
    )
    first, second = answers_to(classifier, [text, text], [VerdictOptions(), VerdictOptions(labels=("hate",))])

    assert engine.rows == 1
    assert first.verdict is not None
    assert second.verdict is not None
    assert first.verdict.classification == "curse"
    assert second.verdict.classification in {"hate", "clean"}
    assert second.verdict.scores == first.verdict.scores


def test_it_stays_within_its_bytes_as_python_counts_them() -> None:
    cache = ResultCache(MIB)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(6_000):
            put(cache, f"글 {number}", windows=1 + number % 3)
        used = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()

    assert cache.bytes <= MIB
    assert used <= 1.1 * MIB
    assert len(cache) > 1_000


def test_what_was_asked_for_last_stays() -> None:
    cache = ResultCache(4 * 500)
    for number in range(50):
        put(cache, f"글 {number}")
        if number:
            assert cache.find("글 0", Priority.INTERACTIVE)[0] is not None


def test_it_holds_no_text() -> None:
    cache = ResultCache(MIB)
    put(cache, "비밀스러운 글")

    assert "비밀스러운".encode() not in b"".join([*cache._stored, *(packed for _, packed in cache._stored.values())])
    assert ResultCache(MIB)._secret != cache._secret
