"""Where the sentences of a normalised text begin and end, so that one can be read without what stands around it."""

import re
from collections.abc import Sequence

from bundles.text.words import Range

LEAST_CHARACTERS = 6
"""A shorter sentence is read with the next one: of two syllables torn out of a text little can be said."""
MOST_SENTENCES = 64
"""Of a text with more of them, neighbours are read together."""
# A mark that ends sentences, laughter or tears, and, as comments do without marks, the endings of most finished verbs.
# "다" alone is a word ("all of them"), so a syllable must stand before the ending. All that a break may begin with
# stands first, so that the search for it skips everything else.
_BREAK = re.compile(r"[.!?…~ㅋㅎㅠㅜ다요죠네](?:(?<=[.!?…~ㅋㅎㅠㅜ])|(?<=[가-힣].))\s+")


def sentences_of(text: str) -> list[Range]:
    """The range of each sentence; none where the text has only one. Takes time linear in the text."""
    least = max(LEAST_CHARACTERS, len(text) // MOST_SENTENCES)
    found: list[Range] = []
    start = 0
    for place in _BREAK.finditer(text):
        end = place.start() + 1
        if end - start >= least:
            found.append((start, end))
            start = place.end()
    if found and len(text) - start < least:
        start = found.pop()[0]
    return [*found, (start, len(text))] if found else []


def tokens_of(sentences: Sequence[Range], offsets: Sequence[Range]) -> list[slice]:
    """The tokens of each sentence, from where each token of the text stands in it (`offsets`, rising)."""
    found: list[slice] = []
    at = 0
    for _, end in sentences:
        first = at
        while at < len(offsets) and offsets[at][0] < end:
            at += 1
        if at > first:
            found.append(slice(first, at))
    return found
