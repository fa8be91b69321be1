"""Text as the model should read it: disguises of letters undone, and innocent text left as it is.

`normalise` runs on every text, in the worker and in training alike. What is echoed to the caller is the text as it
came.
A bundle names the version that it was trained with (`normaliser` in its config), because a model reads best what it
learnt on. Every rewrite shortens the text or replaces a disguise by plain Hangul, so repeating them ends.

Time is linear in the length of the text, whatever the text: runs of one character are cut short before the patterns
that would read them again from each of its characters, and no other pattern can start inside a run that it reads.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

from bundles.text.composing import compose_unicode
from bundles.text.drawn import show
from bundles.text.hangul import INITIALS, from_keys, is_syllable, split_syllable
from bundles.text.jamo import join_jamo
from bundles.text.signs import Rewrites, apply, spell_known, undo_english, undo_signs, undo_spoken
from bundles.text.substitution import PLAIN_SUB, Normaliser, Step, Sub
from bundles.text.syllables import KNOWN, RARE_SPELLINGS

_MAX_PASSES = 8
_HANGUL = "가-힣"

# Signs and letters of ASCII, and syllables that the vocabulary has: nothing of them is drawn, hidden or to be composed.
_is_plain = re.compile("[ -~" + "".join(char for char in KNOWN if ord(char) not in RARE_SPELLINGS) + "]*").fullmatch
_SPACES = re.compile(r"\s{2,}")
_EDGE_SPACE = re.compile(r"\A\s|\s\Z")  # one: runs of spaces are one by then
_HAS_RARE = re.compile("[" + "".join(map(chr, RARE_SPELLINGS)) + "]")

# Repetition. Digits are left alone: 1000000 is a number.
_HAS_RUN = re.compile(r"(?s)(.)\1\1")
_REPEATED_SYLLABLE = re.compile(f"([{_HANGUL}])\\1{{2,}}")
_REPEATED_OTHER = re.compile(r"([^\W\d]|[^\w\s])\1{3,}")
# Every branch begins with a letter, which the search looks for first.
_HAS_STRETCHED = re.compile("아아|애애|야야|어어|에에|여여|오오|우우|유유|으으|이이|시[이잇히]|씨[이잇히]")
_STRETCHED = re.compile(f"([{_HANGUL}])([아애야어에여오우유으이])\\2{{1,2}}(?=[{_HANGUL}])")
_STRETCHED_CURSE = re.compile("([시씨])[이잇히]+([바발팔벌빨])")

_HAS_JAMO = re.compile("[ㄱ-ㅎㅏ-ㅣ]")
_WORD_START = f"(?<![0-9A-Za-z{_HANGUL}])"
_HAS_LATIN = re.compile(r"[0-9A-Za-z^]")
# What every rewrite of Latin needs a part of, as `_HAS_LATIN`, but for numbers that are only numbers. The last letters
# are those that are read as Latin ones where case is ignored.
_HAS_LATIN_SIGN = re.compile(
    "[A-Za-z^\u017f\u0130\u0131\u212a]|[시씨쉬씹][8\uff18]|1[08\uff10](?:새[끼키]|[알놈년련럼])"
)
# How each of the next begins.
_HAS_STRETCHED_CURSE = re.compile("[시씨조지병][바조오온이시]")
# A run of one syllable is two long at most here: `_squeeze` goes before.
_STRETCHED_CURSES: Rewrites = (
    # Of a pattern that begins with a group, the search does not know what its first letter is.
    (re.compile("[시씨]바{1,2}알"), lambda match: f"{match[0][0]}발"),
    (re.compile(r"조{1,2}오{0,2}온나"), "존나"),
    (re.compile(r"지이{1,2}랄"), "지랄"),
    (re.compile(r"병시{1,2}이{0,2}인(?=[아들같이!.\s]|$)"), "병신"),
)
_SHARED_REWRITES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), plain)
    for pattern, plain in (
        (r"(?<![0-9])([시씨쉬씹])[8８](?![0-9시분월일명개원번년살])", r"\1팔"),
        (r"(?<![0-9A-Za-z])[cC][8８](?![0-9A-Za-z])", "씨팔"),
        (r"(?<![A-Za-z0-9])[cC]([발팔빨벌])", r"씨\1"),
        (r"(?<![A-Za-z0-9])[bB]신(?=[\s아같들새년놈이ㅋ!.~]|$)", "병신"),
        (r"(?<![A-Za-z0-9])[AaＡ][Hh]끼", "새끼"),
        (_WORD_START + r"(?:10|1０)(?=새끼|새키|알)", "씹"),
        (_WORD_START + r"18(?=놈|새끼|년아|년이 [미지]|련|럼)", "씨팔"),
        (r"(?i)(?<![a-z])(?:s+h?i+|si)(?=[발팔])", "시"),
        (r"(?i)([시씨])(?:b+a+l+|v+a+l+)(?![a-z])", r"\1발"),
        (r"(?i)(?<![a-z./@])s+h?h?i+b+a+l+(?![a-z-])", "씨발"),
        (r"(?<![A-Za-z0-9])[sS]발(?=[\s!.~ㅋ놈년]|$)", "씨발"),
        (r"(?i)(?<![a-z])by[eu]*o?ng[\s-]?sh?in(?![a-z])", "병신"),
        (r"(?i)(?<![a-z])gae?[\s-]?sae?k+i(?![a-z])", "개새끼"),
        (r"(?i)(?<![a-z])jiral(?![a-z])", "지랄"),
        (r"(?i)(?<![a-z])michin(?:nom|nyeon)(?![a-z])", "미친놈"),
    )
)
_REWRITES = ((re.compile(r"\^{2}[ㅣ1l|!]"), "씨"), *_SHARED_REWRITES)
_REWRITES_2 = ((re.compile(r"\^{2}[ㅣ1l|!](?=[발팔벌빨바8])"), "씨"), *_SHARED_REWRITES)  # and not ^^!

# Letters set apart. Signs between the letters of a curse go; so do spaces where letters stand alone in a row.
_SIGN = "[^\\s\\w()\\[\\]<>{}]|[_0-9xXlㅡ]"
_SPLIT_LIST = """
시발 씨발 시팔 씨팔 쉬발 씨벌 시벌 씨빨 시바 씨바 슈발 병신 븅신 빙신 등신 새끼 새키 개새 지랄 존나
졸라 좆같 족같 미친 느금 엠창 닥쳐 꺼져 썅년 쌍년 씹새 씹할 호로 또라 걸레 창녀 창놈 애미 애비 니미
니애 앰창 한남 김치 맘충 틀딱 급식 홍어 꼴페 짱깨 쪽바 개독 뒤져 쉬펄
"""
_SPLIT_WORDS = _SPLIT_LIST.split()
_AFTER_FOOT = "(?![표견전생행명송급달굴상언목효걸음코레품매간사포화자바톱등로람닥다쁘라뀌])"  # 다시, 발표는 ...
_SIGNS_BETWEEN = re.compile("|".join(f"(?:{word[0]}(?:{_SIGN}){{1,3}}{word[1]})" for word in _SPLIT_WORDS))
# One to three signs between syllables. The search stops only at what may be the first of them.
_HAS_SIGN_INSIDE = re.compile(
    f"[^\\s()\\[\\]<>{{}}{_HANGUL}](?<={_SIGN})(?<=[{_HANGUL}].)(?:{_SIGN}){{0,2}}[{_HANGUL}]"
)
# What letters set apart by spaces begin with: a syllable alone, and another one that ends a word or a curse.
_HAS_LONE = re.compile(f"(?<![{_HANGUL}])[{_HANGUL}][ \u3000]{{1,3}}[{_HANGUL}](?:[놈년새련것끼럼아]|(?![{_HANGUL}]))")
_PUNCTUATION = frozenset(",./·:;?!~-…")  # what also stands between words: 취미,친구
_CURSE_PREFIXES = frozenset("개씹존썅야")
_INNOCENT_AFTER = re.compile(_AFTER_FOOT)
_SIGNED_JAMO = re.compile("(?<![ㄱ-ㅎ])(ㅅ|ㅆ|ㅂ|ㅈ|ㅁ|ㄱ|ㅄ)[^\\s\\wㄱ-ㅎ^ㅡ]{1,2}(ㅂ|ㅅ|ㄹ|ㄴ|ㅊ|ㄲ)(?![ㄱ-ㅎ])")
_ALONE = f"(?<![{_HANGUL}0-9A-Za-z])[{_HANGUL}](?![{_HANGUL}])"
_SPACED_OUT = re.compile(f"{_ALONE}(?:[ \u3000]{{1,3}}[{_HANGUL}](?![{_HANGUL}])){{2,}}")
_SPACED_PAIR = re.compile(
    "(?<![가-힣0-9])(?:"
    + "|".join(
        f"{word[0]} {{1,3}}{word[1]}" for word in _SPLIT_WORDS if word not in ("김치", "급식", "미친", "호로", "등신")
    )
    + ")(?=$|[^가-힣]|놈|년|새|련|것|끼|럼|아(?![가-힣]))"
)
_ENDS_IN_HOUR = re.compile("[몇한두세네열섯곱덟홉] ?$")
_HOUR = re.compile("[몇한두세네열] +시 ")  # 몇 시 발 비행기
_SIGNED_OUT = re.compile(f"{_ALONE}(?:[.,·ㆍ*_~/\\-|+=^@#!]{{1,2}}[{_HANGUL}](?![{_HANGUL}])){{2,}}")
_SPACE = re.compile("[ \u3000]+")
_LETTER = re.compile(f"[{_HANGUL}]")
_NOT_HANGUL = re.compile(f"[^{_HANGUL}]+")

# Hangul typed with the keyboard on English.
_LATIN_WORD = re.compile("(?<![A-Za-z0-9./@_-])[A-Za-z]{4,40}(?![A-Za-z0-9/@_-])")
_TYPED_CURSE = re.compile(
    "시발|씨발|시팔|씨팔|병신|븅신|새끼|지랄|존나|졸라|미친|느금|엠창|닥쳐|꺼져|쌍년|썅년|좆|씹|니미|또라이|개새|애미|창녀|한남"
)


def _squeeze(text: str, sub: Sub) -> str:
    if not _HAS_RUN.search(text):
        return text
    text = sub(_REPEATED_SYLLABLE, r"\1\1", text)
    return sub(_REPEATED_OTHER, r"\1\1\1", text)


def _shorten(text: str, sub: Sub) -> str:
    if not _HAS_STRETCHED.search(text):
        return text
    text = sub(_STRETCHED, _unstretch, text)
    return sub(_STRETCHED_CURSE, r"\1\2", text)


def _unstretch(match: re.Match[str]) -> str:
    initial, vowel, final = split_syllable(match[1])
    same = not final and initial != "ㅇ" and split_syllable(match[2])[1] == vowel
    return match[1] if same else match[0]


def _close_up(text: str, sub: Sub) -> str:
    if _HAS_SIGN_INSIDE.search(text):
        text = sub(_SIGNED_OUT, lambda match: _NOT_HANGUL.sub("", match[0]), text)
        text = sub(_SIGNS_BETWEEN, _drop_signs, text)
    text = sub(_SIGNED_JAMO, r"\1\2", text) if _HAS_JAMO.search(text) else text
    if not _HAS_LONE.search(text):
        return text
    text = sub(_SPACED_OUT, _drop_spaces, text)
    return sub(_SPACED_PAIR, _join_pair, text)


def _drop_spaces(match: re.Match[str]) -> str:
    return match[0] if _HOUR.search(match[0]) else _SPACE.sub("", match[0])


def _join_pair(match: re.Match[str]) -> str:
    """`시 발` is a curse, but not after an hour: 네 시 발 기차."""
    before = match.string[max(match.start() - 3, 0) : match.start()]
    hour = match[0][0] == "시" and _ENDS_IN_HOUR.search(before)
    return match[0] if hour else _SPACE.sub("", match[0])


def _drop_signs(match: re.Match[str]) -> str:
    first, signs, last = match[0][0], match[0][1:-1], match[0][-1]
    before = match.string[match.start() - 1 : match.start()]
    ends_a_word = _PUNCTUATION.issuperset(signs) and _LETTER.match(before) and before not in _CURSE_PREFIXES
    foot = last in "발바" and not _INNOCENT_AFTER.match(match.string, match.end())
    return match[0] if foot or ends_a_word else first + last


def _shorten_curses(text: str, sub: Sub) -> str:
    return apply(_STRETCHED_CURSES, text, sub) if _HAS_STRETCHED_CURSE.search(text) else text


def _rewrite(text: str, sub: Sub) -> str:
    text = _shorten_curses(text, sub)
    if _HAS_LATIN.search(text):
        text = sub(_LATIN_WORD, _retype_word, apply(_REWRITES, text, sub))
    return text


def _rewrite_with_english(text: str, sub: Sub) -> str:
    text = _shorten_curses(text, sub)
    if _HAS_LATIN.search(text) and _HAS_LATIN_SIGN.search(text):
        text = undo_english(text, sub)
        text = sub(_LATIN_WORD, _retype_word, apply(_REWRITES_2, text, sub))
    return text


def _retype_word(match: re.Match[str]) -> str:
    typed = from_keys(match[0])
    whole = all(is_syllable(char) or char in INITIALS for char in typed)
    return typed if whole and _TYPED_CURSE.search(typed) else match[0]


def _spell_likely(text: str, sub: Sub) -> str:
    return sub(_HAS_RARE, lambda match: match[0].translate(RARE_SPELLINGS), text) if _HAS_RARE.search(text) else text


def _join_loose(text: str, sub: Sub) -> str:
    return join_jamo(text, sub) if _HAS_JAMO.search(text) else text


def _trim(text: str, sub: Sub) -> str:
    # Of what is printable, only the space itself is one.
    if "  " in text or not text.isprintable():
        text = sub(_SPACES, " ", text)
    return sub(_EDGE_SPACE, "", text) if text[:1].isspace() or text[-1:].isspace() else text


@dataclass(frozen=True)
class _Steps:
    """What a pass does, in order: to a text beyond ASCII, to a plain one instead of that, and then to every text."""

    beyond_ascii: Sequence[Step]
    plain: Sequence[Step]
    every: Sequence[Step]


_STEPS_1 = _Steps(
    beyond_ascii=(compose_unicode, show, _join_loose, _close_up, _spell_likely),
    plain=(_close_up,),
    every=(_squeeze, _rewrite, _shorten, _trim),
)
_STEPS_2 = _Steps(
    beyond_ascii=(compose_unicode, show, undo_signs, _join_loose, _close_up, spell_known),
    plain=(undo_spoken, _close_up),
    every=(_squeeze, _rewrite_with_english, _shorten, _trim),
)


def _once(text: str, steps: _Steps, sub: Sub) -> str:
    if not text.isascii():
        for step in steps.plain if _is_plain(text) else steps.beyond_ascii:
            text = step(text, sub)
    for step in steps.every:
        text = step(text, sub)
    return text


def _repeat(steps: _Steps, text: str, sub: Sub = PLAIN_SUB) -> str:
    for _ in range(_MAX_PASSES):
        rewritten = _once(text, steps, sub)
        if not rewritten or rewritten == text:
            break
        text = rewritten
    return text


def normalise(text: str, sub: Sub = PLAIN_SUB) -> str:
    """Undo disguises in `text`. Idempotent; never empty for a text that is not blank; any Unicode is taken.

    `sub` is what substitutes; `bundles.text.offsets` has one that notes what came from where.
    """
    return _repeat(_STEPS_2, text, sub)


# What lists, corrections and tokenizer each read normalised is normalised once; a chunk of bulk texts fits in.
_REMEMBERED_TEXTS = 512
_MAX_REMEMBERED_CHARS = 500
_remembered = lru_cache(_REMEMBERED_TEXTS)(normalise)


def normalise_once(text: str) -> str:
    """`normalise`, which remembers the last short texts: several steps of one request ask for the same one."""
    return _remembered(text) if len(text) <= _MAX_REMEMBERED_CHARS else normalise(text)


CURRENT = "kobert-2"
"""The version that `normalise` is, and that new bundles name."""

NORMALISERS: dict[str, Normaliser] = {
    "kobert-1": partial(_repeat, _STEPS_1),
    CURRENT: normalise,
    "nfc": compose_unicode,
}
"""Versions of the normaliser by the name that a bundle's config gives."""
