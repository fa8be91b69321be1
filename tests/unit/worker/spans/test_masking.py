"""What a mask hides, and what it leaves."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.verdict import Span
from worker.spans.masking import mask, ranges_of

TEXTS = st.text(alphabet="시발 가😀\u200b\n*e\u0301\u1109\u1175", max_size=30)


@given(
    text=TEXTS, cuts=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=4), keep_first=st.booleans()
)
def test_a_mask_changes_nothing_outside_its_ranges_and_no_length(
    text: str, cuts: list[tuple[int, int]], keep_first: bool
) -> None:
    ranges = [(min(cut), min(max(cut), len(text))) for cut in cuts if min(cut) < len(text)]
    masked = mask(text, ranges, "#", keep_first=keep_first)
    assert len(masked) == len(text)
    hidden = {place for start, end in ranges for place in range(start, end)}
    assert all(masked[place] == text[place] for place in range(len(text)) if place not in hidden)
    if not keep_first:
        assert all(masked[place] == "#" for place in hidden if not text[place].isspace())


@pytest.mark.parametrize(
    ("text", "ranges", "keep_first", "expected"),
    [
        ("씨발 꺼져", [(0, 2)], False, "** 꺼져"),
        ("씨발 새끼 꺼져", [(0, 5)], False, "** ** 꺼져"),
        ("씨발 새끼 꺼져", [(0, 5)], True, "씨* 새* 꺼져"),
        ("😀 시\u200b발!", [(2, 5)], False, "😀 ***!"),
        ("씨발", [(0, 2), (1, 2)], False, "**"),
        ("씨발", [], False, "씨발"),
        (
            unicodedata.normalize("NFD", "씨발 야"),
            [(0, 5)],
            True,
            unicodedata.normalize("NFD", "씨") + "*** 야".replace(" 야", " ") + unicodedata.normalize("NFD", "야"),
        ),
    ],
)
def test_a_mask_hides_whole_words(text: str, ranges: list[tuple[int, int]], keep_first: bool, expected: str) -> None:
    assert mask(text, ranges, keep_first=keep_first) == expected


def test_only_the_spans_of_chosen_labels_are_hidden() -> None:
    spans = [Span("curse", 0, 2, "씨발", 1.0), Span("insult", 3, 5, "바보", 1.0)]
    assert ranges_of(spans, ["curse"]) == [(0, 2)]
    assert ranges_of(spans) == [(0, 2), (3, 5)]
    assert ranges_of(spans, []) == []
