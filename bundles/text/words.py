"""The words (eojeol) of a text, and which of them each token belongs to."""

import re
from bisect import bisect_right
from collections.abc import Sequence

Range = tuple[int, int]
_WORD = re.compile(r"\S+")


def words_of(text: str) -> list[Range]:
    """The range of each run of characters without a space between them."""
    return [match.span() for match in _WORD.finditer(text)]


def word_of_each(tokens: Sequence[Range], words: Sequence[Range]) -> list[int]:
    """For each token, by the range of its characters, the number of the word that its last character is in.

    A token of a space alone goes with the word after it, or with the last one. There must be a word.
    """
    starts = [start for start, _ in words]
    return [_word_at(end - 1 if end > start else start, starts, words) for start, end in tokens]


def _word_at(place: int, starts: Sequence[int], words: Sequence[Range]) -> int:
    number = max(bisect_right(starts, place) - 1, 0)
    return number if place < words[number][1] else min(number + 1, len(words) - 1)
