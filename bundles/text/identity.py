"""When two texts are the same for a person: disguises, spaces, punctuation and capitals aside.

Digits, emoji and other pictures count: they may turn the meaning. So do words, endings and their order.
"""

import re
import unicodedata

from bundles.text.normalise import normalise, normalise_once

_SIGNS = re.compile(r"[\W_]+")
_PICTURES = frozenset(("So", "Mn", "Mc"))  # emoji; what is left of a text in a script that writes vowels as marks
_LOOSE_LETTERS = re.compile("[ㄱ-ㅊㅌ-ㅍㅏ-ㅗㅘ-ㅛㅝ-ㅟㅡ-ㅣA-Za-z]")
_RUNS = re.compile(r"([ㅋㅎㅠㅜ])\1+")


def text_key(text: str) -> str:
    """The same string for texts that are the same, and never an empty one for a text that is not blank."""
    return key_of_normal(normalise_once(text))


def key_of_normal(normal: str) -> str:
    """The key of a text that is normalised already."""
    bare = _bare(normal)
    # Letters between which signs stood may be another disguise now that they stand together: ㅂ.ㅏ.ㅂ.ㅗ
    if bare != normal and _LOOSE_LETTERS.search(bare):
        bare = _bare(normalise(bare))
    return _RUNS.sub(r"\1", bare or normal).casefold()


def _bare(text: str) -> str:
    return _SIGNS.sub(_keep_pictures, text)


def _keep_pictures(match: re.Match[str]) -> str:
    return "".join(char for char in match[0] if unicodedata.category(char) in _PICTURES)
