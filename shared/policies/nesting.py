"""Terms that end in one another (새끼, 개새끼): how many of them count at one place of a text.

All of them would be found where the longest is. A hundred terms of 가, 가가, 가가가 … would be found a million times
in a text of nothing but 가, which took half a minute.
"""

from collections.abc import Mapping
from operator import itemgetter

# Entries that may end at one place of a text. Lists of real words have four or five.
MAX_NESTED = 12
_BACKWARDS = slice(None, None, -1)


def too_many_nested(entries: Mapping[str, int], most: int = MAX_NESTED) -> dict[str, int]:
    """Strings of which fewer entries may count than there are, and how many may: the shorter strings go first.

    `entries` says how many entries each string has.
    """
    cut: dict[str, int] = {}
    # Backwards, strings that end in one another begin alike, and stand one behind the other.
    inside: list[tuple[str, int]] = []
    for text in sorted(entries, key=itemgetter(_BACKWARDS)):
        while inside and not text.endswith(inside[-1][0]):
            inside.pop()
        before = inside[-1][1] if inside else 0
        kept = min(entries[text], most - before)
        if kept < entries[text]:
            cut[text] = kept
        if kept:
            inside.append((text, before + kept))
    return cut
