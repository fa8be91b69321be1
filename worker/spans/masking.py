"""Hides parts of a text: each character of them becomes one sign, so that nothing else moves."""

import unicodedata
from collections.abc import Iterable

from bundles.text.words import Range
from shared.verdict import Span

MASK_CHAR = "*"


def mask(text: str, ranges: Iterable[Range], char: str = MASK_CHAR, *, keep_first: bool = False) -> str:
    """`text` with every character of these ranges of code points replaced by `char`, and spaces left in place.

    Ranges may overlap. With `keep_first` the first letter of each hidden word stays; a decomposed letter counts as one.
    """
    masked = list(text)
    for start, end in ranges:
        is_first = keep_first
        for place in range(start, end):
            letter = text[place]
            if letter.isspace():
                is_first = keep_first
            elif not is_first:
                masked[place] = char
            # The next one is hidden, unless it is part of a letter that stays.
            elif not (place + 1 < end and _is_joined(text[place + 1])):
                is_first = False
    return "".join(masked)


def ranges_of(spans: Iterable[Span], labels: Iterable[str] | None = None) -> list[Range]:
    """The ranges of those spans that have one of `labels`, None for all. Their offsets must be code points."""
    wanted = None if labels is None else frozenset(labels)
    return [(span.start, span.end) for span in spans if wanted is None or span.label in wanted]


def _is_joined(char: str) -> bool:
    """Whether `char` is part of the letter before it: a combining mark, or a vowel or final of decomposed Hangul."""
    return unicodedata.combining(char) > 0 or "\u1160" <= char <= "\u11ff" or char in "\u200d\ufe0f"
