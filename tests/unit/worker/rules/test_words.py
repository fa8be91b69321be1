"""Denied and allowed terms, found as a Korean reader expects."""

import random
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.policies.records import AllowedTerm, DeniedTerm, Policy
from worker.rules.words import Automata, Found, Words

ENDINGS = """
멍청이 | 멍청이 멍청이들아 멍청이가 멍청이는 멍청이네 멍청이같은 멍청이랑 | 멍청이어폰
멍청이 | 멍청이였다 멍청이입니다 멍청이이이 개멍청이 멍청이ㅋㅋ | 멍청이제
게이 | 게이들은 게이같은놈 게이. 게이라서 게이예요 | 게이머 프로게이머 게이밍 게이트 게이지 게이샤
시발 | 시발아 시발놈아 시발새끼 개시발 시발은 | 시발점 시발역 시발택시 시발비용 다시발표 출시발표
아갈 | 아갈 아갈을 | 살아갈 나아갈 살아갈게 찾아갈래
섹스 | 섹스하자 섹스한다 섹스를 섹스도 | 유니섹스 섹스폰 에식스
보지 | 보지를 | 가보지 쳐다보지 돌보지
자위 | 자위하는 자위를 자위질 | 자위대 자위권
한남 | 한남들 한남이 한남같은 | 한남동 한남대교 북한남자
바보 | 바보야 바보네 바보다 바보들이 | 바보상자 밥오 바보온달
자살 | 자살해라 자살을 자살하는 | 자살골 자살률
미친 | 미친놈 미친년아 미친새끼 미친거 | 취미친구 미친구
일베 | 일베 일베들 일베에서 | 일베충 생일베이커리
홍어 | 홍어들 홍어새끼 | 홍어회 홍어무침
누드 | 누드를 누드로 | 누드김밥 누드해변 누드톤
대출 | 대출을 대출이에요 대출하자 | 대출이자 학자금대출
틀딱 | 틀딱들이 틀딱은 | 틀딱질문
개 | 개가 개는 개들이 | 개나리 개인 개요 무지개 개발 개월
꺼져 | 꺼져 꺼져라 꺼져버려 | 번져꺼져있던
놈 | 놈이 놈들 | 놈팽이 게놈
"""
DISGUISES = """
섹스 | 섹#스 섹*스 섹.스 섹_스 섹-스 섹1스 | 섹피스
섹스 | ㅅㅔㄱㅅㅡ ㅅㅔㄱ스 섹ㅅㅡ 섹\u200b스 섹\u2060\u200d스 섹\ufe0f스 섹......스 | 섹?!?!?스 섹x피스
시발 | 시1발 시@발 시~발 시이발 ㅅㅣㅂㅏㄹ 시ㅂㅏㄹ 시바ㄹ tlqkf TLQKF １시발 시̶발̶ | 시9발차 tlqkfx
병신 | 병x신 병.신 븅신 ㅂㅕㅇㅅㅣㄴ | 병실신축
ㅅㅂ | ㅅㅂ ㅅㅂㅋㅋ ㅋㅋㅅㅂ ㅅ.ㅂ ㅅㅂ놈아 | ㅅㅂㄹㅁ ㅇㅅㅂ
ㅂㅅ | ㅂㅅ ㅄ ㅄ같은 |
sex | sex SEX ｓｅｘ sех ⓢⓔⓧ 𝓼𝓮𝔁 séx s.e.x sex는 폰sex | sexy essex unisex asexual
ass | ass Ass! asses | class assist pass bass
fuck | fück fuck fucks FUCK | fucking firetruck
18 | 18 18! | 2018 180 18명 18일
🖕 | 🖕 뭐🖕야 | 👍
"""
SPACED = [
    ("섹스", "우리 섹 스 하자", True),
    ("시발", "아 시 발", True),
    ("시발", "네 시 발 기차를 탔다", False),
    ("시발", "오후 세 시 발 열차", False),
    ("시발", "9시 발 KTX", False),
    ("시발", "다시 발표합니다", False),
    ("시발", "부산시 발전 계획", False),
    ("시발", "시 발전소", False),
    ("게이", "할 게 이것뿐", False),
    ("게이", "그게 이거야", False),
    ("미친", "취미, 친구", False),
    ("미친놈", "미친 놈아", True),
    ("미친놈", "미 친 놈", True),
    ("개새끼", "야 이 개 새끼야", True),
    ("개새끼", "개.새.끼", True),
    ("개새끼", "무지개 새끼손가락", False),
    ("아다", "아 다 왔다", False),
    ("아다리", "아 다리 아파", False),
    ("애자", "애 자는 중", False),
    ("병신", "소주 두 병 신나게", False),
    ("대출상담", "대출 상담 받으세요", True),
    ("대출 상담", "대출상담 받으세요", True),
    ("대출 상담", "대출   상담은 여기로", True),
    ("sex", "s e x", True),
    ("class", "c lass", False),
    ("년", "3년은 걸린다", False),
    ("년", "작년은 더웠다", False),
    ("년", "저 년이 또", True),
]


def words(*deny: str | DeniedTerm, allow: tuple[str, ...] = ()) -> Words:
    terms = tuple(DeniedTerm(term) if isinstance(term, str) else term for term in deny)
    return Words(Policy(deny=terms, allow=tuple(map(AllowedTerm, allow))))


def cases(table: str) -> list[tuple[str, str, bool]]:
    rows = [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()]
    return [
        (term, text, expected)
        for term, found, missed in rows
        for texts, expected in ((found, True), (missed, False))
        for text in texts.split()
    ]


@pytest.mark.parametrize(("term", "text", "expected"), [*cases(ENDINGS), *cases(DISGUISES), *SPACED])
def test_a_denied_word_is_found_where_a_korean_reader_sees_it(term: str, text: str, expected: bool) -> None:
    assert bool(words(term).find(text).matches) == expected


@pytest.mark.parametrize("text", ["유니섹스", "섹스폰", "유니섹#스", "폰ㅅㅔㄱㅅㅡ방"])
def test_a_part_is_found_inside_any_word(text: str) -> None:
    assert words(DeniedTerm("섹스", "sexual", "part")).find(text).matches[0].label == "sexual"
    assert not words(DeniedTerm("이스", match="part")).find("이 스위치").matches


def test_a_match_says_which_entry_and_where_in_the_text_as_sent() -> None:
    text = "😀 야 " + unicodedata.normalize("NFD", "섹스") + "나 ㅅ\u200bㅔㄱ#스 하자"

    matches = words(DeniedTerm("섹스", "sexual", "part")).find(text).matches

    assert [(match.term, match.label, match.list) for match in matches] == [("섹스", "sexual", "deny")] * 2
    assert [text[match.start : match.end] for match in matches] == [match.text for match in matches]
    assert matches[0].text == unicodedata.normalize("NFD", "섹스")
    assert matches[1].text == "ㅅ\u200bㅔㄱ#스"


def test_an_allowed_term_beats_a_denied_one_inside_it_and_is_not_read() -> None:
    found = words(DeniedTerm("게이", match="part"), "시발", allow=("게이머", "시발점")).find(
        "프로게이머의 시발점은 시발"
    )

    assert [(match.list, match.term, match.start) for match in found.matches] == [
        ("deny", "시발", 12),
        ("allow", "게이머", 2),
        ("allow", "시발점", 7),
    ]
    assert found.unread == [(2, 6), (7, 11)]


def test_an_allowed_term_in_disguise_is_not_innocent() -> None:
    assert [m.list for m in words(DeniedTerm("게이", match="part"), allow=("게이머",)).find("게#이머").matches] == [
        "deny"
    ]


def test_the_same_term_may_count_for_two_labels() -> None:
    both = words(DeniedTerm("멍청이", "rude"), DeniedTerm("멍청이", "banned", "part"))

    assert {match.label for match in both.find("멍청이").matches} == {"rude", "banned"}


def test_a_text_of_one_term_ends_with_some_of_its_matches() -> None:
    assert len(words(DeniedTerm("ㅋ", match="part")).find("ㅋ" * 10_000).matches) == 50
    assert words().find("아무 말") == Found([], [])


@given(
    st.text(max_size=40),
    st.sampled_from(["", "\u200b", "#"]),
    st.sampled_from(["NFC", "NFD", "NFKD"]),
    st.text(max_size=40),
)
def test_the_text_of_a_match_is_the_slice_that_it_names(before: str, inside: str, form: str, after: str) -> None:
    text = unicodedata.normalize(form, f"{before} 섹{inside}스 {after}")  # type: ignore[arg-type]  # one of its forms

    matches = words(DeniedTerm("섹스", match="part")).find(text).matches

    assert matches
    assert all(match.text == text[match.start : match.end] for match in matches)


def test_lists_that_take_several_automata_are_found_as_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(3)
    patterns = list(dict.fromkeys("".join(draw.choices("abc", k=draw.randint(1, 5))) for _ in range(300)))
    text = "".join(draw.choices("abc", k=2_000))
    found = Automata(patterns).find(text)
    monkeypatch.setattr("worker.rules.words.MAX_LETTERS", 40)
    several = Automata(patterns)

    assert len(several._parts) > 10
    assert several.find(text) == found
    assert Automata([]).find(text) == []
