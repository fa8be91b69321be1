"""Decomposes and composes Hangul: syllables, jamo, and the keys of the Korean keyboard (dubeolsik).

Jamo here are the compatibility ones that people type (U+3131 to U+3163).
"""

FIRST_SYLLABLE = 0xAC00
LAST_SYLLABLE = 0xD7A3
INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
FINALS = ["", *"ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"]

_INITIAL_INDEX = {jamo: index for index, jamo in enumerate(INITIALS)}
_VOWEL_INDEX = {jamo: index for index, jamo in enumerate(VOWELS)}
_FINAL_INDEX = {jamo: index for index, jamo in enumerate(FINALS)}

# The letters of the keyboard, unshifted and shifted, row by row.
_KEYS = "qwertyuiopasdfghjklzxcvbnmQWERTOP"
_JAMO_OF_KEYS = "ㅂㅈㄷㄱㅅㅛㅕㅑㅐㅔㅁㄴㅇㄹㅎㅗㅓㅏㅣㅋㅌㅊㅍㅠㅜㅡㅃㅉㄸㄲㅆㅒㅖ"
KEY_TO_JAMO = dict(zip(_KEYS, _JAMO_OF_KEYS, strict=True))
JAMO_TO_KEY = {jamo: key for key, jamo in KEY_TO_JAMO.items()}
_JOINED_VOWELS = {"ㅗㅏ": "ㅘ", "ㅗㅐ": "ㅙ", "ㅗㅣ": "ㅚ", "ㅜㅓ": "ㅝ", "ㅜㅔ": "ㅞ", "ㅜㅣ": "ㅟ", "ㅡㅣ": "ㅢ"}
_JOINED_FINALS = {
    "ㄱㅅ": "ㄳ",
    "ㄴㅈ": "ㄵ",
    "ㄴㅎ": "ㄶ",
    "ㄹㄱ": "ㄺ",
    "ㄹㅁ": "ㄻ",
    "ㄹㅂ": "ㄼ",
    "ㄹㅅ": "ㄽ",
    "ㄹㅌ": "ㄾ",
    "ㄹㅍ": "ㄿ",
    "ㄹㅎ": "ㅀ",
    "ㅂㅅ": "ㅄ",
}
SPLIT_JAMO = {joined: pair for pair, joined in (_JOINED_VOWELS | _JOINED_FINALS).items()}


def is_syllable(char: str) -> bool:
    """Whether `char` is one composed Hangul syllable."""
    return FIRST_SYLLABLE <= ord(char) <= LAST_SYLLABLE


def split_syllable(syllable: str) -> tuple[str, str, str]:
    """Initial, vowel and final (or "") of one composed syllable."""
    initial, rest = divmod(ord(syllable) - FIRST_SYLLABLE, 588)
    vowel, final = divmod(rest, 28)
    return INITIALS[initial], VOWELS[vowel], FINALS[final]


def join_syllable(initial: str, vowel: str, final: str = "") -> str:
    """The syllable of three jamo; `final` may be empty."""
    index = (_INITIAL_INDEX[initial] * 21 + _VOWEL_INDEX[vowel]) * 28 + _FINAL_INDEX[final]
    return chr(FIRST_SYLLABLE + index)


def compose(jamo: str) -> str:
    """Join a run of single jamo as an input method would; what fits into no syllable stays a jamo."""
    composed: list[str] = []
    position = 0
    while position < len(jamo):
        syllable, position = _next_syllable(jamo, position)
        composed.append(syllable)
    return "".join(composed)


def _next_syllable(jamo: str, start: int) -> tuple[str, int]:
    if jamo[start] not in _INITIAL_INDEX or jamo[start + 1 : start + 2] not in _VOWEL_INDEX:
        return jamo[start], start + 1
    vowel, position = _vowel_at(jamo, start + 1)
    final, position = _final_at(jamo, position)
    return join_syllable(jamo[start], vowel, final), position


def _vowel_at(jamo: str, start: int) -> tuple[str, int]:
    joined = _JOINED_VOWELS.get(jamo[start : start + 2])
    return (joined, start + 2) if joined else (jamo[start], start + 1)


def _final_at(jamo: str, start: int) -> tuple[str, int]:
    for length in (2, 1):
        run = jamo[start : start + length]
        final = _JOINED_FINALS.get(run) if length == 2 else run
        if final and final in _FINAL_INDEX and jamo[start + length : start + length + 1] not in _VOWEL_INDEX:
            return final, start + length
    return "", start


def from_keys(keys: str) -> str:
    """What the Korean keyboard writes for Latin `keys`: `tlqkf` -> `시발`. Other characters stay."""
    jamo = "".join(KEY_TO_JAMO.get(key) or KEY_TO_JAMO.get(key.lower(), key) for key in keys)
    return compose(jamo)


def to_jamo(text: str) -> str:
    """Every syllable of `text` as its jamo; the rest stays."""
    return "".join("".join(split_syllable(char)) if is_syllable(char) else char for char in text)


def to_keys(text: str) -> str:
    """The Latin keys that write `text` on the Korean keyboard: `시발` -> `tlqkf`. Other characters stay."""
    single = "".join(SPLIT_JAMO.get(jamo, jamo) for jamo in to_jamo(text))
    return "".join(JAMO_TO_KEY.get(jamo, jamo) for jamo in single)
