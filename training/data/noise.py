"""Disguises as people write them, put into training text: the model meets what the normaliser cannot undo.

Each disguise takes a word and gives it back altered. Where a text holds a word that writers disguise, that word is
taken; otherwise any.
"""

import re
from collections.abc import Callable

import numpy as np

from bundles.text.hangul import is_syllable, join_syllable, split_syllable, to_jamo, to_keys
from training.data.lexicon import CURSES

_CURSE = re.compile("|".join(sorted(map(re.escape, CURSES), key=len, reverse=True)))
_WORD = re.compile("[가-힣]{2,}")
_SIGNS = (".", "-", "*", "@", "!", "~", "1", "^", "_", ",", "/", "·", "♡", "2", ";", "x", "ㅡ", "  ", " ", " ", " ")
_ZERO_WIDTH = ("\u200b", "\u200c", "\u2060", "\ufeff")
_SHIFTED_INITIALS = {"ㅂ": "ㅃ", "ㅅ": "ㅆ", "ㅈ": "ㅉ", "ㄱ": "ㄲ", "ㄷ": "ㄸ", "ㅆ": "ㅅ", "ㄲ": "ㄱ", "ㅃ": "ㅂ"}
_BENT_VOWELS = {
    "ㅣ": "ㅟㅡㅢ",
    "ㅏ": "ㅑㅓㅘ",
    "ㅐ": "ㅔㅒㅖ",
    "ㅔ": "ㅐㅖ",
    "ㅓ": "ㅕㅏ",
    "ㅗ": "ㅛㅜ",
    "ㅕ": "ㅓㅑ",
    "ㅑ": "ㅏ",
    "ㅡ": "ㅜ",
    "ㅟ": "ㅣ",
}
_DRAWN = {"ㅣ": "1l!i|", "ㅏ": "r", "ㅐ": "H"}

Generator = np.random.Generator
Disguise = Callable[[str, Generator], str]


def _pick(options: str | tuple[str, ...], generator: Generator) -> str:
    return options[int(generator.integers(len(options)))]


def _apart(word: str, generator: Generator) -> str:
    sign = _pick(_SIGNS, generator)
    if len(word) > 2 and generator.random() < 0.5:
        place = int(generator.integers(1, len(word)))
        return word[:place] + sign + word[place:]
    return sign.join(word)


def _invisible(word: str, generator: Generator) -> str:
    return _pick(_ZERO_WIDTH, generator).join(word)


def _split_all(word: str, _generator: Generator) -> str:
    return to_jamo(word)


def _split_one(word: str, generator: Generator) -> str:
    place = int(generator.integers(len(word)))
    return word[:place] + to_jamo(word[place]) + word[place + 1 :]


def _initials(word: str, generator: Generator) -> str:
    initials = [split_syllable(char)[0] if is_syllable(char) else char for char in word]
    if len(word) > 1 and generator.random() < 0.5:
        keep = int(generator.integers(len(word)))
        initials[keep] = word[keep]
    return "".join(initials)


def _typed(word: str, _generator: Generator) -> str:
    return to_keys(word)


def _stretched(word: str, generator: Generator) -> str:
    place = int(generator.integers(len(word)))
    if not is_syllable(word[place]):
        return word + word[-1] * 2
    _, vowel, final = split_syllable(word[place])
    times = int(generator.integers(1, 5))
    tail = word[place] * times if final else join_syllable("ㅇ", vowel) * times
    return word[: place + 1] + tail + word[place + 1 :]


def _bent(word: str, generator: Generator) -> str:
    place = int(generator.integers(len(word)))
    if not is_syllable(word[place]):
        return word
    initial, vowel, final = split_syllable(word[place])
    if generator.random() < 0.4:
        initial = _SHIFTED_INITIALS.get(initial, initial)
    else:
        vowel = _pick(_BENT_VOWELS.get(vowel, vowel), generator)
    return word[:place] + join_syllable(initial, vowel, final) + word[place + 1 :]


def _drawn(word: str, generator: Generator) -> str:
    drawn = []
    for char in word:
        initial, vowel, final = split_syllable(char) if is_syllable(char) else ("", "", "")
        swap = vowel in _DRAWN and generator.random() < 0.7
        drawn.append(initial + _pick(_DRAWN[vowel], generator) + final if swap else char)
    return "".join(drawn)


def _joined(word: str, generator: Generator) -> str:
    place = int(generator.integers(1, len(word))) if len(word) > 1 else 1
    return word[:place] + _pick(("ㅣ", "ㅡ", "ㅋ", "ㅇ", "ㅎ", "ㅅ", "ㅂ"), generator) + word[place:]


def _fullwidth_sign(word: str, generator: Generator) -> str:
    return _pick(("．", "＊", "！", "１", "～"), generator).join(word)


DISGUISES: dict[str, tuple[Disguise, float]] = {
    "apart": (_apart, 4),
    "invisible": (_invisible, 0.5),
    "split_all": (_split_all, 1),
    "split_one": (_split_one, 2),
    "initials": (_initials, 2),
    "typed": (_typed, 1),
    "stretched": (_stretched, 2),
    "bent": (_bent, 3),
    "drawn": (_drawn, 1.5),
    "joined": (_joined, 1),
    "fullwidth_sign": (_fullwidth_sign, 0.5),
}
_NAMES = tuple(DISGUISES)
_WEIGHTS = np.array([weight for _, weight in DISGUISES.values()]) / sum(weight for _, weight in DISGUISES.values())


def disguise_word(word: str, generator: Generator) -> str:
    """`word` under one disguise, chosen at random."""
    disguise, _ = DISGUISES[_NAMES[int(generator.choice(len(_NAMES), p=_WEIGHTS))]]
    return disguise(word, generator)


def disguise_text(text: str, generator: Generator) -> str:
    """`text` with its curse words under one disguise, or, in a text without any, one other word."""
    curses = list(_CURSE.finditer(text))
    if curses:
        disguise, _ = DISGUISES[_NAMES[int(generator.choice(len(_NAMES), p=_WEIGHTS))]]
        return _CURSE.sub(lambda match: disguise(match[0], generator), text)
    words = list(_WORD.finditer(text))
    if not words:
        return text
    word = words[int(generator.integers(len(words)))]
    return text[: word.start()] + disguise_word(word[0], generator) + text[word.end() :]
