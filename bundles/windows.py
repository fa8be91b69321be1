"""What a model reads of a text: overlapping windows of its length and, for some models, each sentence besides."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from bundles.text.sentences import sentences_of, tokens_of
from bundles.text.words import Range

# What neighbouring windows share, if a bundle does not say otherwise.
OVERLAP = 0.25
LARGEST_OVERLAP = 0.75

T = TypeVar("T")


@dataclass(frozen=True)
class Windows:
    """How a model reads a text: so many tokens at a time, special ones included, and the fraction in common.

    With a `sentence_discount`, it reads each sentence of a text besides, where nothing pleasant around a curse softens
    it, and the discount is taken off the logits: without what stands around it, a sentence is also easily mistaken.
    """

    tokens: int
    overlap: float = OVERLAP
    sentence_discount: float | None = None


class SentenceIds(list[int]):
    """Token ids of a sentence that is read besides its text; `discount` is taken off its logits."""

    def __init__(self, ids: Sequence[int], discount: float) -> None:
        super().__init__(ids)
        self.discount = discount


def split_windows(tokens: Sequence[T], window_tokens: int, overlap: float = OVERLAP) -> list[Sequence[T]]:
    """As few windows of at most `window_tokens` tokens as share a fraction `overlap` with their neighbours.

    All are equally long: a text a little too long for one window is read in two of about half of it, and not in a full
    one and a second that repeats nearly all of it. A text that fits, even an empty one, is one window.
    """
    if len(tokens) <= window_tokens:
        return [tokens]
    step = max(1, window_tokens - int(window_tokens * overlap))
    gaps = math.ceil((len(tokens) - window_tokens) / step)
    length = min(window_tokens, math.ceil(len(tokens) / (1 + gaps * step / window_tokens)))
    starts = [gap * (len(tokens) - length) // gaps for gap in range(gaps + 1)]
    return [tokens[start : start + length] for start in starts]


def places_of(
    text: str, length: int, offsets: Callable[[], Sequence[Range]], windows: Windows
) -> tuple[list[slice], list[slice]]:
    """The windows of a text of `length` tokens, as their places, and those of the sentences to be read besides.

    `windows.tokens` are without special tokens here. `offsets`: where each token stands in `text`; asked for only if it
    has sentences to read. One that is longer than a window is in windows of its own anyway.
    """
    if length <= windows.tokens:
        whole = [slice(0, length)]
    else:
        whole = [slice(own[0], own[-1] + 1) for own in split_windows(range(length), windows.tokens, windows.overlap)]
    sentences = [] if windows.sentence_discount is None else sentences_of(text)
    if not sentences:
        return whole, []
    own = [place for place in tokens_of(sentences, offsets()) if place.stop - place.start < length]
    return whole, [place for place in own if place.stop - place.start <= windows.tokens]


def rows_of(
    ids: Sequence[int],
    whole: Sequence[slice],
    sentences: Sequence[slice],
    ends: tuple[list[int], list[int]],
    discount: float | None,
) -> list[list[int]]:
    """The rows of ids to be read, each between the special tokens `ends`."""
    first, last = ends
    rows = [[*first, *ids[place], *last] for place in whole]
    if not sentences:
        return rows
    return [*rows, *(SentenceIds([*first, *ids[place], *last], discount or 0.0) for place in sentences)]


def whole_windows(rows: Sequence[T]) -> list[T]:
    """Those of a text's rows that are windows of the whole."""
    return [row for row in rows if not isinstance(row, SentenceIds)]


def discount_of(row: Sequence[int]) -> float:
    """What is taken off the logits of a row."""
    return row.discount if isinstance(row, SentenceIds) else 0.0
