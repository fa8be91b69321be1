"""What `normalise` promises for any text, and the disguises that it undoes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles.text import normalise as steps
from bundles.text.normalise import CURRENT, NORMALISERS, normalise, normalise_once
from bundles.text.substitution import PLAIN_SUB

KOREAN = st.text(alphabet="시씨발병신새끼개가나다ㅅㅂㅆㅋㅠㅜㅏㅣㅐㅗ1l8!.*~ \u200bａtlqkfrH", max_size=24)


def test_an_hour_before_the_letters_of_a_curse_keeps_them_apart() -> None:
    for text in ("네 시 발 기차", "다섯 시 발 버스를 탔다"):
        assert normalise(text) == text
    assert normalise("아 시 발 진짜") != "아 시 발 진짜"


@given(st.one_of(st.text(max_size=60), KOREAN))
def test_normalising_twice_is_normalising_once(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once


@given(st.one_of(st.text(min_size=1, max_size=60), KOREAN))
def test_a_text_that_is_not_blank_never_becomes_empty(text: str) -> None:
    assert bool(normalise(text).strip()) >= bool(text.strip())


@pytest.mark.parametrize(
    ("disguised", "plain"),
    [
        ("시1발", "시발"),
        ("씨8", "씨팔"),
        ("tlqkf 뭐야", "시발 뭐야"),
        ("ㅅㅣㅂㅏㄹ", "시발"),
        ("ㅅㅣ발", "시발"),
        ("시ㅂ발", "시발"),
        ("시\u200b발", "시발"),
        ("시.발", "시발"),
        ("병 신 새 끼", "병신새끼"),
        ("씨이이이발", "씨발"),
        ("ㄱH새끼", "개새끼"),
        ("ㅅ1발", "시발"),
        ("ｓｉｂａｌ", "씨발"),
        ("시바ㄹ", "시발"),
        ("\u1109\u1175\u1107\u1161\u11af", "시발"),
        ("㉦ㅣ발", "시발"),
        ("시\u0336발\u0336", "시발"),
        ("개ㅐ새끼", "개새끼"),
        ("ㅋㅋㅋㅋㅋㅋㅋㅋ", "ㅋㅋㅋ"),
    ],
)
def test_a_disguise_is_undone(disguised: str, plain: str) -> None:
    assert normalise(disguised) == plain


@pytest.mark.parametrize(
    "text",
    [
        "다시 발견한 길",
        "3시8분에 만나요",
        "18번 버스",
        "1000000원",
        "ㅋㅋㅜㅜ",
        "너 나오라고ㅗㅗ",
        "The show title is visual",
        "https://example.com/tlqkf",
        "몇 시 발 비행기",
        "다시.발표합니다",
        "나이가 몇 살이에요?",
    ],
)
def test_innocent_text_stays_as_it_is(text: str) -> None:
    assert normalise(text) in (text, text.replace("시 발", "시발"))


def test_every_version_is_found_by_its_name() -> None:
    assert NORMALISERS[CURRENT] is normalise
    assert set(NORMALISERS) == {"kobert-1", "kobert-2", "nfc"}


@pytest.mark.parametrize(
    ("sign", "plain"),
    [
        ("凸", "ㅗ"),
        ("🖕🏽", "ㅗ"),
        ("🖕🏻🖕🏿", "ㅗㅗ"),
        ("ㅂ凸", "ㅂ ㅗ"),
        ("╭∩╮", "ㅗ"),
        ("sіbаl", "씨발"),
        ("fucк", "fuck"),
        ("ㅂ1ㅅ", "ㅂㅅ"),
        ("ㅅ|ㅂ", "ㅅㅂ"),
        ("아놔 ㅅ ㅂ", "아놔 ㅅㅂ"),
        ("ㄱㅐㅅㄲ", "개ㅅㄲ"),
        ("뻑큐 먹어", "뻐큐 먹어"),
        ("F**K", "fuck"),
        ("f u c k", "fuck"),
        ("f***ing", "fucking"),
        ("sh1t", "shit"),
        ("BITCH", "bitch"),
        ("a$$hole", "asshole"),
        ("개색기", "개새끼"),
        ("씨八", "씨팔"),
        ("犬새끼", "개새끼"),
        ("미친年", "미친년"),
        ("口ㅣ친", "미친"),
        ("쯧쯧", "쯔쯔"),
        ("퉤퉤", "퇴퇴"),
        ("씨뱔", "씨발"),
        ("옘병", "염병"),
    ],
)
def test_a_sign_of_abuse_is_written_as_the_vocabulary_knows_it_since_kobert_2(sign: str, plain: str) -> None:
    assert normalise(sign) == plain
    assert NORMALISERS["kobert-1"](sign) != plain


@pytest.mark.parametrize(
    "text",
    [
        "볼록(凸)렌즈",
        "요철 凹凸",
        "凸版印刷",
        "凸 모양의 블록",
        "아빠큐브 사줘",
        "삼시 세끼",
        "아저씨빨리 오세요",
        "始發 丙申年",
        "Москва",
        "café ϕ μm",
        "😂👍🏽",
        "Fukuoka, Phuket, shift",
        "ㄱ ㄴ ㄷ ㅁ ㅂ ㅅ",
        "사람 人ㅠㅠ",
        "감사합니다^^!",
        "꿈을 좇다",
    ],
)
def test_text_that_only_looks_like_a_sign_stays_as_it_is(text: str) -> None:
    assert normalise(text) == text


def test_the_penalty_of_a_crime_becomes_no_curse() -> None:
    assert normalise("죗값을 치러야") == "죄값을 치러야"


def test_kobert_1_leaves_the_signs_that_it_was_trained_with() -> None:
    for text in ("凸", "🖕", "뻑큐", "쯧쯧", "f**k", "sіbаl"):
        assert NORMALISERS["kobert-1"](text) == text


def test_a_remembered_text_is_normalised_as_any_other() -> None:
    texts = ["ㅅ ㅂ 섹#스", "멀쩡한 말", "가" * 501, "시1발 " * 120]
    for text in [*texts, *texts]:
        assert normalise_once(text) == normalise(text)


@given(
    st.lists(
        st.sampled_from(
            [*"0123456789^ !.*@$#ㅣl|ſıİ시씨쉬씹발팔알놈년련럼cbshfuk", "새끼", "새키", "년아", "병신", "K"]
        )
    ).map("".join)
)
def test_what_has_numbers_and_no_letters_reads_the_same_without_the_rewrites_of_latin(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        # Finds a part in every text.
        patch.setattr(steps, "_HAS_LATIN_SIGN", re.compile(""))
        rewritten = normalise(text)

    assert normalise(text) == rewritten


PLAIN = st.text(alphabet="시씨쓰발바알병신이인새끼색히개뻐큐조온오나지랄아놈년 18c!.,~()^FKfuck|", max_size=16)
# What is looked for before rewrites are tried, so that most texts pay for one search only.
GATES = ("_HAS_RUN", "_HAS_STRETCHED", "_HAS_STRETCHED_CURSE", "_HAS_JAMO", "_HAS_LATIN", "_HAS_LONE")


@given(PLAIN)
def test_what_is_left_out_for_a_plain_text_would_not_change_it(text: str) -> None:
    assert steps._is_plain(text)
    for version in (steps._STEPS_1, steps._STEPS_2):
        of_plain = of_any = text
        for step in version.plain:
            of_plain = step(of_plain, PLAIN_SUB)
        for step in version.beyond_ascii:
            of_any = step(of_any, PLAIN_SUB)
        assert of_plain == of_any


def test_each_character_of_plain_texts_is_left_alone_by_the_steps_that_they_skip() -> None:
    plain = [char for char in map(chr, range(0x11000)) if steps._is_plain(char)]
    assert len(plain) > 1_500
    for char in plain:
        for step in {*steps._STEPS_1.beyond_ascii, *steps._STEPS_2.beyond_ascii}:
            assert step(char, PLAIN_SUB) == char


@given(
    st.one_of(PLAIN, KOREAN, st.text(alphabet="가시씨바알조오온나지이랄병인아어발 ..,,_ㆍ\u3000\tx1\n", max_size=12))
)
def test_no_search_before_a_rewrite_hides_anything_from_it(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for gate in GATES:
            patch.setattr(steps, gate, re.compile(""))
        ungated = normalise(text)
    assert normalise(text) == ungated


@given(st.text(alphabet="가시발 ..,,_ㆍx1()ㅡ\n", max_size=12))
def test_signs_inside_are_found_wherever_they_stand_between_syllables(text: str) -> None:
    sign = r"(?:[^\s\w()\[\]<>{}]|[_0-9xXlㅡ])"
    assert bool(steps._HAS_SIGN_INSIDE.search(text)) == bool(re.search(f"[가-힣]{sign}{{1,3}}[가-힣]", text))


def test_of_printable_characters_only_the_space_is_one() -> None:
    spaces = [char for char in map(chr, range(0x110000)) if char.isspace() or re.match(r"\s", char)]
    assert [char for char in spaces if char.isprintable()] == [" "]
