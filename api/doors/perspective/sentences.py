"""Cuts a comment into sentences, with offsets in UTF-16 units, as Perspective counts them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

# A comment of more sentences than this has the others in its last span, so that its cost is bounded.
MAX_SPANS = 100
# Up to a line's end, or to a stop that a space follows. Stops come several at a time, and before a closing quote.
# Nothing is read twice: a run of stops is tried from its start only.
_SENTENCE = re.compile(r"[^\n]*?(?:(?<![.!?…。！？])[.!?…。！？]++[\"'”’)\]」』]*+(?=\s)|(?=\n)|\Z)")


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a comment; `begin` and `end` count UTF-16 units from the comment's start."""

    text: str
    begin: int
    end: int


def whole(text: str) -> Span:
    """The comment as one span."""
    return Span(text, 0, utf16_length(text))


def sentences(text: str) -> list[Span]:
    """The sentences of a comment without the space around them, in order; at most `MAX_SPANS`."""
    places = list(_places(text))
    if len(places) > MAX_SPANS:
        places[MAX_SPANS - 1 :] = [(places[MAX_SPANS - 1][0], places[-1][1])]
    spans: list[Span] = []
    at, units = 0, 0
    for start, end in places:
        begin = units + utf16_length(text[at:start])
        at, units = end, begin + utf16_length(text[start:end])
        spans.append(Span(text[start:end], begin, units))
    return spans


def utf16_length(text: str) -> int:
    """UTF-16 units of a text: two for a character above U+FFFF, as most emoji are, one for any other."""
    return len(text) + sum(character > "\uffff" for character in text)


def _places(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each sentence, in characters."""
    for found in _SENTENCE.finditer(text):
        sentence = found[0].strip()
        if sentence:
            start = found.start() + found[0].index(sentence)
            yield start, start + len(sentence)
