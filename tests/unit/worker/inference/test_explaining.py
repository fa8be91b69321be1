"""Explanations by a graph that tells what its tokens add, and by leaving words out where it does not."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from bundles.format import load_bundle
from shared.messages import TextItem
from shared.options import NO_OPTIONS, VerdictOptions
from shared.span_options import MaskStyle
from shared.verdict import Verdict
from tests.support.echo import write_echo_bundle
from worker.inference.batcher import MicroBatcher
from worker.inference.classifier import Classifier
from worker.inference.engines.protocol import Evidence, Logits
from worker.inference.explaining import MAX_OCCLUSIONS
from worker.inference.tokenizer import BundleTokenizer
from worker.inference.verdict import Judge

PATIENCE_S = 60
EXPLAIN = VerdictOptions(explain=True)


class CountingEngine:
    """Says `curse` for each token of the letter `x`, and counts what it is asked."""

    has_evidence = False

    def __init__(self) -> None:
        self.windows = 0
        self.evidence_passes = 0
        self.bad_id = 0

    def run(self, rows: Sequence[Sequence[int]]) -> Logits:
        self.windows += len(rows)
        return np.array([[0.0, 4.0 * list(row).count(self.bad_id) - 2.0, -3.0, -3.0] for row in rows], np.float32)


class TellingEngine(CountingEngine):
    """Also tells what each token adds."""

    has_evidence = True

    def run_with_evidence(self, rows: Sequence[Sequence[int]]) -> tuple[Logits, list[Evidence]]:
        self.evidence_passes += 1
        of_bad = np.array([0.0, 4.0, 0.0, 0.0], np.float32)
        return self.run(rows), [np.array([of_bad * (token == self.bad_id) for token in row]) for row in rows]


@pytest.fixture(params=[CountingEngine, TellingEngine])
def engine(request: pytest.FixtureRequest) -> CountingEngine:
    made: CountingEngine = request.param()
    return made


@pytest.fixture
def classifier(engine: CountingEngine, tmp_path: Path) -> Iterator[Classifier]:
    bundle = load_bundle(write_echo_bundle(tmp_path / "bundle"))
    tokenizer = BundleTokenizer(bundle, max_windows=8)
    engine.bad_id = tokenizer.encode(["x"])[0][0][1]
    batcher = MicroBatcher(engine, max_batch_tokens=4_096)
    batcher.start()
    yield Classifier(bundle, tokenizer, batcher, Judge(bundle.config, {}))
    batcher.close()


def asked(classifier: Classifier, text: str, options: VerdictOptions = EXPLAIN) -> Verdict:
    ((answer,),) = list(classifier.answers_as_done([TextItem(1, text)], time.monotonic() + PATIENCE_S, [options]))
    assert isinstance(answer.outcome, Verdict)
    return answer.outcome


def words_of(verdict: Verdict) -> list[str]:
    assert isinstance(verdict.spans, list)
    return [span.text for span in verdict.spans]


def test_the_word_at_fault_is_the_span(classifier: Classifier) -> None:
    verdict = asked(classifier, "one axb three", VerdictOptions(explain=True, mask=MaskStyle()))
    assert words_of(verdict) == ["axb"]
    assert verdict.masked == "one *** three"
    assert verdict.classification == "curse"


def test_two_words_far_apart_are_both_at_fault(classifier: Classifier) -> None:
    assert sorted(words_of(asked(classifier, "x1 two three x4"))) == ["x1", "x4"]


def test_a_harmless_text_has_no_spans_and_needs_no_further_pass(classifier: Classifier, engine: CountingEngine) -> None:
    assert words_of(asked(classifier, "one two three")) == []
    assert engine.windows == 1


def test_in_a_long_text_the_window_at_fault_is_explained(classifier: Classifier) -> None:
    text = "good words " * 12 + "x " + "good words " * 12
    verdict = asked(classifier, text)
    assert verdict.windows > 3
    assert words_of(verdict) == ["x"]


def test_bulk_rows_are_explained_as_interactive_texts_are(classifier: Classifier) -> None:
    texts = ["one axb three", "good", "x y"]
    outcomes = classifier.outcomes_in_order(texts, EXPLAIN)
    assert outcomes == [asked(classifier, text) for text in texts]


def test_occlusion_is_bounded_whatever_the_text(classifier: Classifier, engine: CountingEngine) -> None:
    verdict = asked(classifier, "x a b c d e f g h i j " * 12)
    assert verdict.windows <= 8
    assert engine.windows <= verdict.windows + MAX_OCCLUSIONS


def test_who_does_not_ask_causes_no_pass_with_evidence(classifier: Classifier, engine: CountingEngine) -> None:
    classifier.outcomes_in_order(["one axb three"], NO_OPTIONS)
    assert engine.evidence_passes == 0
    assert engine.windows == 1


class TwoLabelEngine(TellingEngine):
    """`x` speaks for `curse` and for the label after it, which the letter `y` is the first to speak for."""

    other_id = 0

    def run_with_evidence(self, rows: Sequence[Sequence[int]]) -> tuple[Logits, list[Evidence]]:
        of_x, of_y = np.array([-4.0, 4.0, 2.0, 0.0], np.float32), np.array([0.0, 0.0, 2.5, 0.0], np.float32)
        logits = np.array([[-3.0, 2.0, 1.0, -3.0] for _ in rows], np.float32)
        added = {self.bad_id: of_x, self.other_id: of_y}
        return logits, [np.array([added.get(token, 0 * of_x) for token in row]) for row in rows]


def test_a_label_that_would_not_count_without_the_words_of_another_has_the_same_span(tmp_path: Path) -> None:
    echo = load_bundle(write_echo_bundle(tmp_path / "bundle"))
    bundle = replace(echo, config=msgspec.structs.replace(echo.config, problem_type="multi_label_classification"))
    tokenizer, engine = BundleTokenizer(bundle, max_windows=8), TwoLabelEngine()
    engine.bad_id, engine.other_id = (tokenizer.encode([letter])[0][0][1] for letter in "xy")
    batcher = MicroBatcher(engine, max_batch_tokens=4_096)
    batcher.start()
    verdict = asked(Classifier(bundle, tokenizer, batcher, Judge(bundle.config, {})), "one x two y three")
    batcher.close()
    assert verdict.labels == ["curse", "insult"]
    assert words_of(verdict) == ["x", "x"]
