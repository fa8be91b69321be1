"""What `trace` promises: the normaliser's own answer, and for each of its characters the part of the text as sent."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles.text.normalise import CURRENT, NORMALISERS
from bundles.text.offsets import TracedText, trace

DISGUISES = (
    "시씨발병신새끼개가ㅅㅂㅆㅋㅠㅏㅣㅐㅗ1l8!.*~ \u200bａtlqkfrHuc凸🖕🏽八쯧븅㉦аѕ\u1109\u1175\u1107\u1161\u11af"
    "e\u0301\u0323\u0344\u0958\u0f73😀𝒔ㄳ뷁\n"
)
TEXTS = st.one_of(st.text(max_size=60), st.text(alphabet=DISGUISES, max_size=30), st.text("\u1100\u1161\u11a8 e\u0301"))


def sent_of(traced: TracedText, part: str) -> str:
    """The slice of the text as sent behind the first `part` of the normalised one."""
    start = traced.text.index(part)
    first, last = traced.sent_range(start, start + len(part))
    return traced.sent[first:last]


@pytest.mark.parametrize("version", sorted(NORMALISERS))
@given(text=TEXTS)
def test_a_traced_text_is_what_the_normaliser_makes_of_it(version: str, text: str) -> None:
    assert trace(text, version).text == NORMALISERS[version](text)


@given(text=TEXTS, long=st.booleans())
def test_the_ranges_are_in_order_inside_the_text_and_not_empty(text: str, long: bool) -> None:
    text = text * 20 if long else text
    traced = trace(text, CURRENT)
    assert len(traced.starts) == len(traced.ends) == len(traced.text)
    assert traced.starts == sorted(traced.starts)
    assert traced.ends == sorted(traced.ends)
    assert all(0 <= start < end <= len(text) for start, end in zip(traced.starts, traced.ends, strict=True))


@given(text=TEXTS)
def test_a_character_that_stands_in_both_texts_alone_points_at_itself(text: str) -> None:
    traced = trace(f"{text} 꿩 {text}", CURRENT)
    assert traced.sent[traced.starts[traced.text.index("꿩")]] == "꿩"


@given(text=st.text("가각나e\u0301\u0323Åㄱ😀 ", max_size=40))
def test_decomposed_text_points_at_the_characters_that_compose(text: str) -> None:
    decomposed = unicodedata.normalize("NFD", text)
    traced = trace(decomposed, "nfc")
    for char, start, end in zip(traced.text, traced.starts, traced.ends, strict=True):
        assert unicodedata.normalize("NFC", decomposed[start:end]) == char or unicodedata.combining(char)


@pytest.mark.parametrize(
    ("sent", "part", "expected"),
    [
        ("😀 시1발 뭐야", "시발", "시1발"),
        ("아 ㅅㅣㅂㅏㄹ 뭐", "시발", "ㅅㅣㅂㅏㄹ"),
        ("아 ㅅㅣㅂㅏㄹ 뭐", "시", "ㅅㅣ"),
        ("아 tlqkf 뭐", "발", "qkf"),
        ("\u1109\u1175\u1107\u1161\u11af 뭐", "발", "\u1107\u1161\u11af"),
        ("시\u200b발\u200b놈", "발", "발"),
        ("시\u200b발\u200b놈", "시발놈", "시\u200b발\u200b놈"),
        ("병 신 새 끼 야", "신새", "신 새"),
        ("씨이이이발 것", "씨발", "씨이이이발"),
        ("ｓｉｂａｌ 것", "씨발", "ｓｉｂａｌ"),
        ("씨8 것", "팔", "8"),
        ("𝒇𝒖𝒄𝒌 off", "fuck", "𝒇𝒖𝒄𝒌"),
        ("e\u0301 뷁 시발", "시발", "시발"),
        ("ㅋㅋㅋㅋㅋㅋㅋㅋ 시발", "시발", "시발"),
        ("ㅋㅋㅋㅋㅋㅋㅋㅋ 시발", "ㅋㅋㅋ 시", "ㅋㅋㅋㅋㅋㅋㅋㅋ 시"),
        ("먹어 🖕🏽 먹어", "ㅗ", "🖕🏽"),
        ("개ㅐ새끼", "개새끼", "개ㅐ새끼"),
        ("   시발  것 ", "발 것", "발  것"),
    ],
)
def test_a_disguise_points_at_what_was_sent(sent: str, part: str, expected: str) -> None:
    assert sent_of(trace(sent, CURRENT), part) == expected


def test_without_a_normaliser_every_character_is_its_own() -> None:
    traced = trace("시발 😀", None)
    assert traced.sent_range(3, 4) == (3, 4)


def test_a_text_of_nothing_visible_keeps_its_characters() -> None:
    traced = trace("\u200b\u3164", CURRENT)
    assert traced.text == NORMALISERS[CURRENT]("\u200b\u3164")
    assert all(end <= 2 for end in traced.ends)
