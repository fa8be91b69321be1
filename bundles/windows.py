"""Cuts the tokens of a long text into overlapping windows of the model's length."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

# What neighbouring windows share, if a bundle does not say otherwise.
OVERLAP = 0.25
LARGEST_OVERLAP = 0.75

T = TypeVar("T")


@dataclass(frozen=True)
class Windows:
    """How a model reads a long text: so many tokens at a time, special ones included, and the fraction in common."""

    tokens: int
    overlap: float = OVERLAP


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
