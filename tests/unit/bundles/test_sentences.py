from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles.text.sentences import LEAST_CHARACTERS, MOST_SENTENCES, sentences_of, tokens_of
from bundles.windows import Windows, places_of


def split(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences_of(text)]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        (
            "오늘 날씨가 참 좋네요. 넌 왜 사니? 수고하셨어요.",
            ["오늘 날씨가 참 좋네요.", "넌 왜 사니?", "수고하셨어요."],
        ),
        ("정말 재미있었어요 이 쓰레기 같은 놈아", ["정말 재미있었어요", "이 쓰레기 같은 놈아"]),
        ("너무 웃겨서 ㅋㅋㅋ 저 인간 진짜 밥맛", ["너무 웃겨서 ㅋㅋㅋ", "저 인간 진짜 밥맛"]),
    ],
)
def test_sentences_end_at_marks_laughter_and_verbs(text: str, sentences: list[str]) -> None:
    assert split(text) == sentences


@pytest.mark.parametrize("text", ["", "모기가 너무 많아서 다 없애 버릴 거야", "12.5% 올랐어요", "네. 응. 하하."])
def test_what_is_one_sentence_or_too_short_for_two_is_not_torn_apart(text: str) -> None:
    assert split(text) == []


def test_a_short_sentence_is_read_with_the_next_one_and_the_last_with_the_one_before() -> None:
    assert split("최고. 정말 재미있었어요. 다음 주도 기대할게요. 굿") == [
        "최고. 정말 재미있었어요.",
        "다음 주도 기대할게요. 굿",
    ]


@given(st.text(alphabet=list("가다요.!ㅋ a\n"), max_size=600))
def test_sentences_hold_all_of_a_text_but_the_spaces_between_them(text: str) -> None:
    found = sentences_of(text)
    assert len(found) <= MOST_SENTENCES + 1
    if found:
        assert len(found) > 1
        assert (found[0][0], found[-1][1]) == (0, len(text))
        assert all(end - start >= LEAST_CHARACTERS for start, end in found)
        assert all(text[end:start].isspace() for (_, end), (start, _) in pairwise(found))


def test_a_text_of_many_sentences_is_read_in_few() -> None:
    assert len(sentences_of("가나다라마바. " * 5_000)) <= MOST_SENTENCES + 1


def test_tokens_belong_to_the_sentence_that_they_begin_in() -> None:
    assert tokens_of([(0, 5), (6, 10)], [(0, 2), (2, 5), (6, 8), (8, 10)]) == [slice(0, 2), slice(2, 4)]


def test_sentences_are_read_besides_the_windows_of_the_whole() -> None:
    text = "aaaaaa. bbbbbb. " + "c" * 12
    offsets = [(at, at + 1) for at, letter in enumerate(text) if letter != " "]

    whole, sentences = places_of(text, len(offsets), lambda: offsets, Windows(10, 0.5, 1.0))

    assert len(whole) > 1
    assert sentences == [slice(0, 7), slice(7, 14)]  # the third one is longer than a window, which reads it anyway


def test_a_model_that_asks_for_no_sentences_reads_none() -> None:
    def no_offsets() -> list[tuple[int, int]]:
        raise AssertionError("nobody needs them")

    text = "오늘 날씨가 참 좋네요. 수고하셨어요."
    assert places_of(text, 12, no_offsets, Windows(48)) == ([slice(0, 12)], [])
