"""Cuts the tokens of a long text into overlapping windows of the model's length."""

from collections.abc import Sequence
from typing import TypeVar

OVERLAP_FRACTION = 4

T = TypeVar("T")


def split_windows(tokens: Sequence[T], window_tokens: int) -> list[Sequence[T]]:
    """Windows of at most `window_tokens` tokens, each sharing a quarter with the one before; the last one is full.

    A text that fits, even an empty one, is one window.
    """
    if len(tokens) <= window_tokens:
        return [tokens]
    stride = max(1, window_tokens - window_tokens // OVERLAP_FRACTION)
    last_start = len(tokens) - window_tokens
    starts = [*range(0, last_start, stride), last_start]
    return [tokens[start : start + window_tokens] for start in starts]
