"""Joins jamo that stand loose among syllables, and what is drawn like one: ㅅㅣㅂㅏㄹ, 시바ㄹ, ㅅ1발."""

import re

from bundles.text.hangul import INITIALS, compose, join_syllable, split_syllable
from bundles.text.substitution import Sub

_HANGUL = "가-힣"
_JAMO_RUN = re.compile("[ㄱ-ㅎㅏ-ㅣ]{2,}")
_SPELT_OUT = re.compile("(?:[ㄱ-ㅎ][ㅏ-ㅣ]{1,2}[ㄱ-ㅎ]{0,2}?)+[ㄱ-ㅎ]?")
_DOUBLED_JAMO = re.compile("(.)\\1")
_LOOSE_FINAL = re.compile(f"([{_HANGUL}])([ㄴㄹㅇㅁ])(?![ㄱ-ㅎㅏ-ㅣ0-9])")
_ECHOED_JAMO = re.compile(f"(?<=[{_HANGUL}])([ㄱ-ㅎㅏ-ㅣ])(?=[{_HANGUL}])")
_TAIL_VOWEL = re.compile(f"([{_HANGUL}])([ㅏ-ㅣ])\\2*(?=[{_HANGUL}])")

# Signs, digits and Latin letters that stand for a jamo: ㅅ1발, ㅂr보, ㄱH새끼.
_DRAWN_VOWELS = {"1": "ㅣ", "l": "ㅣ", "|": "ㅣ", "!": "ㅣ", "i": "ㅣ", "I": "ㅣ", "r": "ㅏ", "H": "ㅐ", "h": "ㅐ"}
_DRAWN_SYLLABLE = re.compile(f"([ㄱ-ㅎ])([1l|!iIrHh])(?=[{_HANGUL}ㄱ-ㅎ]|$)")


def join_jamo(text: str, sub: Sub) -> str:
    """Write jamo that are loose among syllables into the syllables that they spell."""
    text = sub(_DRAWN_SYLLABLE, _draw_syllable, text)
    text = sub(_JAMO_RUN, _compose_run, text)
    text = sub(_TAIL_VOWEL, _drop_same_vowel, text)
    text = sub(_ECHOED_JAMO, _drop_echo, text)
    return sub(_LOOSE_FINAL, _attach_final, text)


def _draw_syllable(match: re.Match[str]) -> str:
    return join_syllable(_initial(match[1]), _DRAWN_VOWELS[match[2]])


def _initial(jamo: str) -> str:
    return jamo if jamo in INITIALS else "ㅅ"


def _compose_run(match: re.Match[str]) -> str:
    run = match[0]
    if _DOUBLED_JAMO.search(run) or not _SPELT_OUT.fullmatch(run):
        return run  # laughter and tears: ㅋㅋㅜㅜ
    return compose(run)


def _drop_same_vowel(match: re.Match[str]) -> str:
    _, vowel, final = split_syllable(match[1])
    return match[1] if not final and match[2] == vowel else match[0]


def _drop_echo(match: re.Match[str]) -> str:
    if match[1] in "ㅋㅎ":
        return match[0]
    before = split_syllable(match.string[match.start() - 1])
    after = split_syllable(match.string[match.end()])
    return "" if match[1] in (before[1] if not before[2] else before[2], after[0]) else match[0]


def _attach_final(match: re.Match[str]) -> str:
    initial, vowel, final = split_syllable(match[1])
    return match[0] if final else join_syllable(initial, vowel, match[2])
