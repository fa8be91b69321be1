"""What may stand around a Korean word without making it another word: particles, endings, insults hung onto it.

멍청이 is there in 멍청이들아 and 개멍청이가; 게이 is not there in 게이머, nor 시발 in 시발점.
"""

import re
from functools import cache

from bundles.text.hangul import is_syllable, split_syllable

# Particles by what they follow: {consonant|vowel} where the sound before decides, as in 이/가.
_AFTER_NOUN_TEXT = """
{이|가} {은|는} {을|를} {과|와} {아|야} {으로|로} {으로서|로서} {으로써|로써} {이랑|랑} {이나|나} {이든|든}
{이든지|든지} {이며|며} {이라|라} {이란|란} {이라고|라고} {이라는|라는} {이라도|라도} {이라서|라서}
{이라면|라면} {이면|면} {이라니|라니} {이여|여} {이고|고} 의 에 에게 에게서 에서 에다 에다가 께 께서 한테 한테서
더러 보고 하고 도 만 만도 까지 부터 조차 마저 밖에 처럼 마냥 대로 만큼 보다 뿐 씩 커녕 {은|는}커녕 따위 나부랭이
급 같은 같이 같다 같네 같아 같애 같노 같냐 같고 같지 같은데 같았다 같은게 같은놈 같은년 같은새끼 같은것 같은것들
같음
"""
# The copula 이다, whose 이 falls away after a vowel.
_COPULA_TEXT = """
다 야 네 네요 냐 니 니까 지 지만 죠 지요 구나 구만 군 군요 로다  라니까 라고요 라구 라구요 란다 래 래요
랍니다 었다 었어 었네 었지 었음 었는데 었던 거든 거든요 거나 걸 더라 던데 더니 므로 면 면서 어서 에요 어요
"""
_COPULA_WHOLE_TEXT = """
임 인 인데 인데요 인지 인가 인가요 인거 인걸 인게 인듯 인줄 인척 일까 일까요 일걸 일뿐 일듯 일지도 입니다 입니까
입니다만 예요 이에요 에요 였다 였어 였네 였지 였던 였음 였는데 이었다 이었어 이었네 이었지 이었던 요 이요 이야
야말로 이야말로
"""
_PEOPLE = ("들", "놈", "년", "련", "새끼", "새키", "자식", "것", "거", "쟁이", "님", "씨")
_VERBS = (
    "하(?:다|고|는|던|네|냐|니|자|지|면|며|려|러|게|기|세|시|십|도록|였|여|거|잖|구나|나|든|라)[가-힣]{0,4}",
    "(?:한|할|함|합)(?:(?:다|니|까|테|게|걸|거|듯|데|지|줄|수록|래|께|인가)[가-힣]{0,3})?",
    "(?:해|했)(?:(?:[요서도라야줘봐주보버대놓둬볼준줄졌진질지쳐먹다어네음던냐니고]|는데)[가-힣]{0,3})?",
    "되(?:다|고|는|던|네|냐|니|면|며|려|어|었|지|게|기|도록)[가-힣]{0,3}",
    "(?:된|될|됨|됩|돼|됐)(?:(?:다|니|까|게|걸|거|듯|지|줄|요|서|도|라|야|어|네)[가-힣]{0,3})?",
    "(?:스럽|스러|스런|스레)[가-힣]{0,4}",
    "(?:거리(?:다|고|는|던|네|냐|니|면|며|지|게|기|더)|거려|거렸|거린다|거릴|대는|대고|댄다|댔)[가-힣]{0,3}",
    "질(?:이|을|은|도|만|로|좀|(?:해|하|함|한|했|할)[가-힣]{0,3})?",
    "짓(?:이|을|은|도|만|거리[가-힣]{0,2})?",
    "(?:버려|버렸|버리|줘|줄래|주세요|라고|라니|라며)[가-힣]{0,3}",
)
# What people put before an insult to make it worse.
_INTENSIFIERS = re.compile("(?:개|존나|졸라|씹|존|핵|쌉|개씹|씨발|시발|미친|썅|조선|한국)")
# Units that a number goes before: 네 시 발 기차, 물 두 병 신청.
_UNITS = frozenset("시개명분원년번살일월병잔장권대채척마리통쪽층칸줄달주회차호점")
_NUMERAL = re.compile(
    r"(?:[0-9]|(?<![가-힣])(?:한|두|세|네|몇|다섯|여섯|일곱|여덟|아홉|열|열한|열두|스무|[일이삼사오육칠팔구십백천만]+))\s*$"
)


_AFTER_NOUN = _AFTER_NOUN_TEXT.split()
_COPULA = _COPULA_TEXT.split()
_COPULA_WHOLE = _COPULA_WHOLE_TEXT.split()


def _alternatives(particle: str, *, after_consonant: bool) -> str:
    return re.sub(r"\{(\w+)\|(\w+)\}", lambda found: found[1 if after_consonant else 2], particle)


def _tail(*, after_consonant: bool) -> str:
    copula = [f"이{ending}" for ending in _COPULA]
    if not after_consonant:
        copula += [ending for ending in _COPULA if len(ending) > 1]
        copula += ["다", "네", "냐", "니", "죠"]  # not 지 nor 군: 게이지
    particles = [_alternatives(particle, after_consonant=after_consonant) for particle in _AFTER_NOUN]
    return "|".join(sorted({*particles, *copula, *_COPULA_WHOLE}, key=len, reverse=True))


@cache
def _endings(*, after_consonant: bool) -> re.Pattern[str]:
    """All that may follow a word: people, particles, a copula; or a verb made of it.

    Compiled for the first rule that needs it, because it takes several milliseconds and many workers have no rules.
    """
    own = _tail(after_consonant=after_consonant)
    people = "|".join(_PEOPLE)
    # Behind 들, 놈, 년, 새끼 the sound before is theirs.
    after_people = f"{_tail(after_consonant=True)}|{_tail(after_consonant=False)}"
    more = "(?:도|만|은|는|요|까지|에서|에|의)?"
    return re.compile(f"(?:(?:{own}){more}|(?:{people}){{1,3}}(?:(?:{after_people}){more})?|{'|'.join(_VERBS)})")


# One syllable begins many words (개: 개나리, 개인, 개요), so it takes the plainest particles alone.
_SHORT_AFTER_CONSONANT = re.compile(
    "(?:들(?:이|은|을|아|도)?|이|은|을|과|아|도|만|의|에게|한테|처럼|보다|같은|같다|같네|이다|이네|이냐|이야)"
)
_SHORT_AFTER_VOWEL = re.compile("(?:들(?:이|은|을|아|도)?|가|는|를|와|야|에게|한테|처럼|보다|같은|같다|같네)")
# What may follow a word whose syllables stand apart: after 애 자, 는 would be a verb's.
_APART = re.compile(
    "(?:들(?:이|은|을|아|도)?|놈(?:들)?(?:아|이)?|년(?:들)?(?:아|이)?|새끼(?:들)?(?:야|가)?|이|가|아|야|의|을|를|님아?|같은|임|하자|해|한다|했다)"
)
_STRETCH = re.compile("[아야어여오우이으에애]+")


def may_follow(word: str, tail: str) -> bool:
    """Whether the syllables `tail`, right behind `word`, leave it the word that it is."""
    if not tail:
        return True
    if not is_syllable(word[-1]):
        return any(_endings(after_consonant=is_one).fullmatch(tail) for is_one in (False, True))
    has_final = bool(split_syllable(word[-1])[2])
    if sum(map(is_syllable, word)) == 1:
        return (_SHORT_AFTER_CONSONANT if has_final else _SHORT_AFTER_VOWEL).fullmatch(tail) is not None
    if _is_stretch(word[-1], tail):
        return True
    return _endings(after_consonant=has_final).fullmatch(tail) is not None


def may_follow_apart(tail: str) -> bool:
    """The same behind a word whose syllables stand apart."""
    return not tail or _APART.fullmatch(tail) is not None


def may_precede(head: str) -> bool:
    """Whether the syllables `head`, right before a word, only make it worse."""
    return _INTENSIFIERS.fullmatch(head) is not None


def counts_something(before: str, first: str) -> bool:
    """Whether `first`, the first syllable of a word, is the unit of a number that `before` ends with."""
    return first in _UNITS and _NUMERAL.search(before[-8:]) is not None


def _is_stretch(last: str, tail: str) -> bool:
    """멍청이이이: the last vowel goes on."""
    _, vowel, final = split_syllable(last)
    return not final and _STRETCH.fullmatch(tail) is not None and all(split_syllable(c)[1] == vowel for c in tail)
