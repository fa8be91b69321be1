"""The spans and masks of the included model, held to what people marked; docs/spans.md has the figures."""

from collections.abc import Iterator

import pytest

from shared.options import NO_OPTIONS
from shared.settings import load_settings
from shared.verdict import Verdict
from tests.support.span_figures import ASKED, measure_spans, read_marked, spans
from worker.inference.classifier import Classifier
from worker.main import build_classifier

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def classifier() -> Iterator[Classifier]:
    built = build_classifier(load_settings(model="default"))
    yield built
    built.batcher.close()


def test_spans_point_at_the_curses_that_people_marked_and_at_little_else(classifier: Classifier) -> None:
    figures = measure_spans(classifier, read_marked())

    # Measured .997, .024, .994, .976 and .916: a little less for another processor's rounding, or another model.
    assert figures.flagged >= 0.75 * figures.sentences
    assert figures.found >= 0.95
    assert figures.extra_words <= 0.1
    assert figures.innocent_words >= 0.98
    assert figures.innocent_parts >= 0.97
    assert figures.cleared >= 0.9


def test_what_is_asked_about_spans_changes_no_score(classifier: Classifier) -> None:
    texts = [sentence.text for sentence in read_marked()[::10]]
    asked, plain = (classifier.outcomes_in_order(texts, options) for options in (ASKED, NO_OPTIONS))
    for with_spans, without in zip(asked, plain, strict=True):
        assert isinstance(with_spans, Verdict)
        assert isinstance(without, Verdict)
        assert (with_spans.scores, with_spans.labels) == (without.scores, without.labels)


def test_a_curse_far_inside_a_long_text_is_found_where_it_is(classifier: Classifier) -> None:
    text = (
        "😀 오늘 공원에서 자전거를 탔는데 바람이 시원했어요. " * 12
        + "저 시*발놈아 꺼져. "
        + "내일 또 가고 싶어요. " * 12
    )
    (verdict,) = classifier.outcomes_in_order([text], ASKED)
    assert isinstance(verdict, Verdict)
    assert verdict.windows > 2
    assert any("시*발놈아" in span.text for span in spans(verdict))
    assert all(text[span.start : span.end] == span.text for span in spans(verdict))
    assert "시*발놈아" not in str(verdict.masked)
    assert str(verdict.masked).endswith("내일 또 가고 싶어요. " * 6)
