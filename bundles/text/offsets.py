"""Normalises a text and keeps, for each character that comes out, which characters of the text as sent it came from.

Only who asks pays: the steps of the normaliser substitute through a function that they are given, and `trace` gives
them one that aligns what goes in with what comes out. Time is linear in the length of the text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from bundles.text.hangul import to_keys
from bundles.text.normalise import NORMALISERS
from bundles.text.substitution import Replacement
from bundles.text.words import Range


@dataclass(frozen=True, slots=True)
class TracedText:
    """`text` is the normalised form of `sent`; its character `i` came from `sent[starts[i]:ends[i]]`.

    Neither list ever falls, and no range is empty. What the normaliser dropped (a zero-width space, a sign inside a
    word) belongs to no character, and to every range that has characters on both sides of it.
    """

    sent: str
    text: str
    starts: list[int]
    ends: list[int]

    def sent_range(self, start: int, end: int) -> Range:
        """The range of `sent` behind `text[start:end]`, which must not be empty."""
        return self.starts[start], self.ends[end - 1]


def trace(text: str, normaliser: str | None) -> TracedText:
    """Normalise `text` with the version of this name, or not at all for None, and keep where everything came from."""
    recorder = _Recorder(text)
    normalised = text if normaliser is None else NORMALISERS[normaliser](text, recorder.sub)
    if normalised == text:
        return TracedText(text, text, list(range(len(text))), list(range(1, len(text) + 1)))
    if normalised != recorder.text:
        # Nothing visible: the normaliser gave up what it had done in the pass that emptied the text.
        first, last = len(text) - len(text.lstrip()), len(text.rstrip())
        return TracedText(text, normalised, [first] * len(normalised), [last] * len(normalised))
    return TracedText(text, normalised, recorder.starts, recorder.ends)


class _Recorder:
    """Substitutes as `re.Pattern.sub` does, and carries the ranges along."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.starts = list(range(len(text)))
        self.ends = list(range(1, len(text) + 1))

    def sub(self, pattern: re.Pattern[str], replacement: Replacement, text: str) -> str:
        """`pattern.sub(replacement, text)`; `text` must be what came out of the last one."""
        parts: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        done = 0
        for match in pattern.finditer(text):
            new = match.expand(replacement) if isinstance(replacement, str) else replacement(match)
            if new == match[0]:
                continue
            parts += (text[done : match.start()], new)
            starts += self.starts[done : match.start()]
            ends += self.ends[done : match.start()]
            for made_of in align(match[0], new):
                first, last = _not_empty(match.start() + made_of[0], match.start() + made_of[1], len(text))
                starts.append(self.starts[first])
                ends.append(self.ends[last - 1])
            done = match.end()
        if not parts:
            return text
        self.text = "".join((*parts, text[done:]))
        self.starts = [*starts, *self.starts[done:]]
        self.ends = [*ends, *self.ends[done:]]
        return self.text


def _not_empty(first: int, last: int, length: int) -> Range:
    """The range itself; for an insertion, which has nothing of its own behind it, the character before or after it."""
    if first < last:
        return first, last
    return (first - 1, first) if first else (0, min(1, length))


def align(old: str, new: str) -> Iterator[Range]:
    """For each character of `new`, the range of `old` that it was made of.

    By letters, where the letters of `new` are those of `old`, some left out: `ㅅㅣㅂㅏㄹ` and `tlqkf` to `시발`,
    `병 신` to `병신`. Else by place, where the lengths agree: `씨8` to `씨팔`. Else each gets what differs as a whole.
    """
    by_letter = _align_letters(old, new)
    if by_letter is not None:
        return iter(by_letter)
    if len(old) == len(new):
        return ((place, place + 1) for place in range(len(old)))
    return _align_ends(old, new)


def _align_letters(old: str, new: str) -> list[Range] | None:
    letters = [(letter, place) for place, char in enumerate(old) for letter in _letters(char)]
    ranges: list[Range] = []
    at = 0
    for char in new:
        places: list[int] = []
        for letter in _letters(char):
            while at < len(letters) and letters[at][0] != letter:
                at += 1
            if at == len(letters):
                return None
            places.append(letters[at][1])
            at += 1
        ranges.append((places[0], places[-1] + 1))
    return ranges


@lru_cache(4_096)
def _letters(char: str) -> str:
    """The keys of a Korean keyboard that write `char`, without shift; of what is not Hangul, itself."""
    return to_keys(char).lower() or char


def _align_ends(old: str, new: str) -> Iterator[Range]:
    shorter = min(len(old), len(new))
    head = next((place for place in range(shorter) if old[place] != new[place]), shorter)
    rest = shorter - head
    tail = next((place for place in range(rest) if old[-1 - place] != new[-1 - place]), rest)
    for place in range(len(new)):
        if place < head:
            yield place, place + 1
        elif place < len(new) - tail:
            yield head, len(old) - tail
        else:
            yield place + len(old) - len(new), place + len(old) - len(new) + 1
