"""Sentences of a comment and their places in UTF-16 units."""

import json
import shutil
import subprocess
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.doors.perspective.sentences import MAX_SPANS, Span, sentences, utf16_length, whole

PIECES = st.sampled_from(
    ["안녕", "😀", "👨‍👩‍👧", "!", "?", ".", "…", "。", " ", "\n", "\r\n", "\u3000", '"', "”", "ㅋㅋ", "e\u0301", "3.5"]
)
TEXTS = st.lists(PIECES, max_size=30).map("".join)


def units(text: str, begin: int, end: int) -> str:
    return text.encode("utf-16-le")[2 * begin : 2 * end].decode("utf-16-le")


@given(TEXTS)
def test_each_span_is_its_text_and_nothing_but_space_is_left_out(text: str) -> None:
    spans = sentences(text)

    assert [units(text, span.begin, span.end) for span in spans] == [span.text for span in spans]
    assert "".join("".join(span.text.split()) for span in spans) == "".join(text.split())
    assert all(before.end <= after.begin for before, after in pairwise(spans))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("안녕하세요. 😀 진짜? 네!!", ["안녕하세요.", "😀 진짜?", "네!!"]),
        ("버전 3.5가 나왔다", ["버전 3.5가 나왔다"]),
        ('그가 "가자!" 했다. 끝', ['그가 "가자!"', "했다.", "끝"]),
        ("첫 줄\n\n  둘째 줄  ", ["첫 줄", "둘째 줄"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_a_sentence_ends_at_a_stop_before_space_or_with_its_line(text: str, expected: list[str]) -> None:
    assert [span.text for span in sentences(text)] == expected


def test_a_comment_of_many_sentences_has_the_rest_in_its_last_span() -> None:
    text = "아! " * 5_000
    spans = sentences(text)

    assert len(spans) == MAX_SPANS
    assert spans[-1].end == len(text) - 1


@pytest.mark.timeout(20)  # reading anything twice would take hours
@pytest.mark.parametrize("piece", [".", '!"', "”", ".”", "가 ", "\n", " "])
def test_a_comment_is_read_once(piece: str) -> None:
    text = piece * 300_000 + "가"

    assert sentences(text)[-1].text.endswith("가")


@pytest.mark.integration
def test_node_counts_as_the_door_does() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")  # a second opinion; Python counts the units too
    text = "좋아요 👍🏽. 😀 병신아! 👨‍👩‍👧‍👦 ㅋㅋ\n𠮷野家? 끝"
    script = (
        "const [text, spans] = JSON.parse(process.argv[1]);"
        "console.log(JSON.stringify(spans.map(([begin, end]) => text.slice(begin, end))))"
    )
    spans = sentences(text)
    places = json.dumps([text, [[span.begin, span.end] for span in spans]])
    cut = subprocess.run([node, "-e", script, places], capture_output=True, text=True, check=True, timeout=60)

    assert json.loads(cut.stdout) == [span.text for span in spans]
    assert whole(text) == Span(text, 0, utf16_length(text))
