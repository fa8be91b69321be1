"""Which words are chosen, and what becomes of them as spans."""

from collections.abc import Sequence

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bundles.text.normalise import CURRENT
from bundles.text.offsets import trace
from shared.options import VerdictOptions
from shared.span_options import MaskStyle
from shared.verdict import Span, Verdict
from worker.spans.selection import StillCounts, choose_words, spans_of
from worker.spans.showing import show_spans
from worker.spans.words import sent_words

TEXTS = st.text(alphabet="시씨발병신가나 \u200bㅅㅣㅏ1.*🖕😀e\u0301\u1109\u1175\n한", min_size=1, max_size=40)


def still_counts_over(falls: Sequence[float], score: float) -> StillCounts:
    return lambda chosen: score - sum(falls[place] for place in chosen) > 0


@pytest.mark.parametrize(
    ("falls", "score", "expected"),
    [
        ([0.1, 5.0, 0.2, 0.1], 4.0, {1}),
        ([5.0, 4.5, 0.2], 4.0, {0, 1}),  # beside it and nearly as bad
        ([5.0, 0.1, 4.5], 8.0, {0, 2}),  # elsewhere, and the rest still counts
        ([5.0, 0.1, 4.5], 4.0, {0}),  # the rest does not count
        ([5.0, 0.1, 1.0], 8.0, {0}),  # too little to be a culprit
        ([-1.0, -0.5], 1.0, set()),
        ([], 1.0, set()),
    ],
)
def test_the_words_at_fault_are_chosen(falls: list[float], score: float, expected: set[int]) -> None:
    chosen = choose_words(np.array(falls), still_counts_over(falls, score))
    assert set(chosen) == expected


@given(falls=st.lists(st.floats(-5, 5), max_size=40), score=st.floats(-5, 200))
def test_no_word_that_lowers_the_score_is_chosen(falls: list[float], score: float) -> None:
    chosen = choose_words(np.array(falls), still_counts_over(falls, score))
    assert len(set(chosen)) == len(chosen)
    assert all(falls[place] > 0 for place in chosen)


@given(text=TEXTS, data=st.data())
def test_a_span_is_the_slice_of_the_text_that_was_sent(text: str, data: st.DataObject) -> None:
    words = sent_words(trace(text, CURRENT))
    falls = np.array(data.draw(st.lists(st.floats(-1, 5), min_size=len(words.sent), max_size=len(words.sent))))
    chosen = set(data.draw(st.lists(st.integers(0, len(words.sent) - 1), max_size=5))) if words.sent else set()
    found = spans_of(text, "curse", words.sent, falls, chosen)
    assert all(text[span.start : span.end] == span.text and span.text for span in found)
    assert sum(span.share for span in found) <= 1.01
    verdict = Verdict("curse", 0.9, {"curse": 0.9}, ["curse"], spans=found)
    shown = show_spans(text, verdict, VerdictOptions(explain=True, mask=MaskStyle("#"), offsets="utf16"))
    units = text.encode("utf-16-le")
    assert isinstance(shown.spans, list)
    assert [units[2 * span.start : 2 * span.end].decode("utf-16-le") for span in shown.spans] == [
        span.text for span in found
    ]
    assert len(str(shown.masked)) == len(text)


@example(text=" \u200b")
@example(text="\u0301 \u200b \u0301")
@given(text=TEXTS)
def test_words_are_whole_words_of_the_text_as_sent_and_in_order(text: str) -> None:
    words = sent_words(trace(text, CURRENT))
    assert len(words.read) == len(words.sent)
    ends = [0, *(end for _, end in words.sent)]
    for (start, end), last_end in zip(words.sent, ends, strict=False):
        assert last_end <= start < end <= len(text)
        assert not text[start].isspace()
        assert not text[end - 1].isspace()
        assert start == 0 or text[start - 1].isspace()
        assert end == len(text) or text[end].isspace()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("나는 씨 발 먹어", ["나는", "씨 발", "먹어"]),
        ("씨\u200b발놈아 또", ["씨\u200b발놈아", "또"]),
        ("먹어라🖕 너", ["먹어라🖕", "너"]),
        ("개 새 끼 왔다", ["개 새 끼", "왔다"]),
    ],
)
def test_what_is_read_or_sent_as_one_word_is_one(text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in sent_words(trace(text, CURRENT)).sent] == expected


def test_nothing_is_shown_that_was_not_asked_for() -> None:
    verdict = Verdict("curse", 0.9, {"curse": 0.9}, ["curse"], spans=[Span("curse", 0, 2, "씨발", 1.0)])
    assert show_spans("씨발", verdict, VerdictOptions(explain=True)).masked is msgspec.UNSET
    only_masked = show_spans("씨발", verdict, VerdictOptions(mask=MaskStyle(keep_first=True)))
    assert (only_masked.spans, only_masked.masked) == (msgspec.UNSET, "씨*")
    other_label = show_spans("씨발", verdict, VerdictOptions(mask=MaskStyle(labels=("insult",))))
    assert other_label.masked == "씨발"
