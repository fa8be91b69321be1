import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from bundles.format import Bundle, load_bundle
from shared.messages import CascadeFigures, TextItem
from shared.options import NO_OPTIONS, VerdictOptions
from shared.settings import Settings
from shared.verdict import Verdict
from tests.support.cascades import cascade_for, put_cascade
from tests.support.echo import echo_logits, write_echo_bundle
from worker.inference.batcher import MicroBatcher
from worker.inference.cache import ResultCache
from worker.inference.cascade import Cascade, NoCascade, build_cascade
from worker.inference.classifier import Classifier
from worker.inference.engines.protocol import Logits
from worker.inference.tokenizer import BundleTokenizer
from worker.inference.verdict import Judge

LABELS = ["curse", "insult", "hate", "threat"]
MULTI = {
    "problem_type": "multi_label_classification",
    "labels": LABELS,
    "clean_label": "clean",
    "thresholds": dict.fromkeys(LABELS, 0.5),
    "strictness": {"strict": dict.fromkeys(LABELS, 0.2), "lenient": dict.fromkeys(LABELS, 0.7)},
}
CLEAN = [-3.0, -2.0, -4.0, -5.0]
"""Logits of a text that is clean at `standard`: `insult` is the highest."""


class CountingEngine:
    def __init__(self) -> None:
        self.rows = 0

    def run(self, rows: Sequence[Sequence[int]]) -> Logits:
        self.rows += len(rows)
        return np.stack([echo_logits(row) for row in rows])


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    path = write_echo_bundle(tmp_path / "multi", **MULTI)
    return load_bundle(put_cascade(path, cascade_for(path, logits=CLEAN)))


@pytest.fixture
def engine() -> CountingEngine:
    return CountingEngine()


@contextmanager
def running(bundle: Bundle, engine: CountingEngine) -> Iterator[Classifier]:
    """A classifier with the cascade of its bundle."""
    batcher = MicroBatcher(engine, max_batch_tokens=256)
    batcher.start()
    judge = Judge(bundle.config, {})
    built = Classifier(bundle, BundleTokenizer(bundle, max_windows=8), batcher, judge)
    built.cascade = build_cascade(bundle, judge)
    yield built
    batcher.close()


@pytest.fixture
def classifier(bundle: Bundle, engine: CountingEngine) -> Iterator[Classifier]:
    with running(bundle, engine) as built:
        yield built


def verdict(classifier: Classifier, text: str, options: VerdictOptions = NO_OPTIONS) -> Verdict:
    (answers,) = classifier.answers_as_done([TextItem(0, text)], time.monotonic() + 20, [options])
    found = answers[0].verdict
    assert found is not None
    return found


def figures(classifier: Classifier) -> CascadeFigures:
    assert isinstance(classifier.cascade, Cascade)
    return classifier.cascade.figures


def test_it_is_on_by_default() -> None:
    assert Settings().cascade == "on"


def test_a_certain_text_is_answered_without_the_model(classifier: Classifier, engine: CountingEngine) -> None:
    found = verdict(classifier, "plain")

    assert engine.rows == 0
    assert (found.classification, found.labels) == ("clean", ["clean"])
    assert found.confidence == found.scores["clean"] == max(found.scores.values()) >= 0.5
    assert found.scores["clean"] == pytest.approx(1 - found.scores["insult"], abs=1e-4)
    assert list(found.scores) == ["clean", "insult", "curse", "hate", "threat"]
    assert figures(classifier) == CascadeFigures(answered=1)


@pytest.mark.parametrize("text", ["!!!!", "what?", "long " * 20])
def test_a_text_that_is_not_certain_is_read(classifier: Classifier, engine: CountingEngine, text: str) -> None:
    verdict(classifier, text)

    assert engine.rows > 0
    assert figures(classifier) == CascadeFigures(unsure=1)


@pytest.mark.parametrize(
    "options",
    [
        VerdictOptions(strictness="strict"),
        VerdictOptions(strictness="lenient"),
        VerdictOptions(thresholds=(("curse", 0.3),)),
        VerdictOptions(labels=("curse",)),
    ],
)
def test_a_text_with_other_rules_is_read(
    classifier: Classifier, engine: CountingEngine, options: VerdictOptions
) -> None:
    verdict(classifier, "plain", options)

    assert engine.rows == 1
    assert figures(classifier) == CascadeFigures(exempt=1)


def test_rules_that_say_what_holds_anyway_change_nothing(classifier: Classifier, engine: CountingEngine) -> None:
    verdict(classifier, "plain", VerdictOptions(strictness="standard", thresholds=(("curse", 0.5),), details=True))

    assert engine.rows == 0


def test_texts_whose_spans_are_wanted_are_exempt(classifier: Classifier) -> None:
    assert isinstance(classifier.cascade, Cascade)
    assert not classifier.cascade.may_answer(VerdictOptions(explain=True))


def test_a_worker_with_thresholds_or_a_strictness_of_its_own_asks_the_model(bundle: Bundle) -> None:
    other, strict = (
        build_cascade(bundle, judge)
        for judge in (Judge(bundle.config, {"curse": 0.4}), Judge(bundle.config, {}, "strict"))
    )
    assert isinstance(other, Cascade)
    assert isinstance(strict, Cascade)
    assert not other.may_answer(NO_OPTIONS)
    assert not strict.may_answer(NO_OPTIONS)
    assert strict.may_answer(VerdictOptions(strictness="standard"))


def test_certain_and_uncertain_texts_of_one_message_are_each_answered(
    classifier: Classifier, engine: CountingEngine
) -> None:
    texts = ["plain", "what?", "simple", "!!!!"]
    groups = list(
        classifier.answers_as_done([TextItem(at, text) for at, text in enumerate(texts)], time.monotonic() + 20)
    )

    assert sorted(answer.id for group in groups for answer in group) == [0, 1, 2, 3]
    assert engine.rows == 2


def test_rows_of_jobs_are_answered_by_it_too(classifier: Classifier, engine: CountingEngine) -> None:
    outcomes = classifier.outcomes_in_order(["plain", "what?", "simple"])

    assert all(isinstance(outcome, Verdict) for outcome in outcomes)
    assert outcomes[0] == outcomes[2]
    assert engine.rows == 1


def test_the_cache_keeps_its_answers_apart_from_those_of_the_model(
    classifier: Classifier, engine: CountingEngine
) -> None:
    classifier.cache = ResultCache(1 << 20)
    strict = VerdictOptions(strictness="strict")
    certain = verdict(classifier, "plain")
    read = verdict(classifier, "plain", strict)

    assert engine.rows == 1
    assert verdict(classifier, "plain") == certain
    assert verdict(classifier, "plain", strict) == read
    assert certain.scores != read.scores
    assert (engine.rows, classifier.cache.stored_hits) == (1, 2)


def test_others_who_wait_for_a_certain_text_are_answered(classifier: Classifier, engine: CountingEngine) -> None:
    classifier.cache = ResultCache(1 << 20)
    items = [TextItem(at, "plain") for at in range(5)]
    groups = list(classifier.answers_as_done(items, time.monotonic() + 20))

    assert sum(len(group) for group in groups) == 5
    assert engine.rows == 0


def test_a_bundle_without_one_is_served_without(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = load_bundle(write_echo_bundle(tmp_path / "bare", **MULTI))

    assert isinstance(build_cascade(bundle, Judge(bundle.config, {})), NoCascade)
    assert "cascade_missing" in "".join(capsys.readouterr())


@pytest.mark.parametrize("logits", [[0.0, -3.0, -3.0, -3.0], [5.0, -3.0, -3.0, -3.0]])
def test_a_cascade_whose_answers_are_not_clean_is_not_used(tmp_path: Path, logits: list[float]) -> None:
    path = write_echo_bundle(tmp_path / "wrong", **MULTI)
    bundle = load_bundle(put_cascade(path, cascade_for(path, logits=logits)))

    assert isinstance(build_cascade(bundle, Judge(bundle.config, {})), NoCascade)


def test_each_text_is_counted_once(bundle: Bundle) -> None:
    cascade = build_cascade(bundle, Judge(bundle.config, {}))
    assert isinstance(cascade, Cascade)
    for _ in range(100):
        cascade.logits([[1, 10, 2]])
        cascade.logits([[1, 10, 2], [1, 10, 2]])

    assert cascade.figures == CascadeFigures(answered=100, unsure=100)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("plain words. more words. and some words!!", 2),  # the whole, and the one sentence with "!"
        ("plain words. what is it? more words.", 2),  # as much where a byte is not known
        ("plain words. more words. and other words.", 0),
    ],
)
def test_sentences_in_which_nothing_may_be_wrong_are_not_read_besides(
    tmp_path: Path, engine: CountingEngine, text: str, rows: int
) -> None:
    path = write_echo_bundle(tmp_path / "sentences", **MULTI, sentence_discount=0.0)
    bundle = load_bundle(put_cascade(path, cascade_for(path, logits=CLEAN)))
    with running(bundle, engine) as classifier:
        verdict(classifier, text)
        assert engine.rows == rows
        classifier.cascade = NoCascade()
        assert verdict(classifier, text).windows == 1
        assert engine.rows == rows + 1 + 3
