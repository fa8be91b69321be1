"""Cuts the tokens of a long text into overlapping windows of the model's length."""

from collections.abc import Sequence

OVERLAP_FRACTION = 4


def split_windows(token_ids: Sequence[int], window_tokens: int) -> list[Sequence[int]]:
    """Windows of at most `window_tokens` ids, each sharing a quarter with the one before; the last one is full.

    A text that fits, even an empty one, is one window.
    """
    if len(token_ids) <= window_tokens:
        return [token_ids]
    stride = max(1, window_tokens - window_tokens // OVERLAP_FRACTION)
    last_start = len(token_ids) - window_tokens
    starts = [*range(0, last_start, stride), last_start]
    return [token_ids[start : start + window_tokens] for start in starts]
