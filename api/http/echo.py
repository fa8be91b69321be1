"""What of a refused item can be sent back: JSON values of a bounded size in valid Unicode."""

import math
from collections.abc import Iterable
from itertools import chain, islice

# pydantic's and msgspec's writers give up at some 250 levels.
MAX_ECHO_DEPTH = 200
# A larger item was no attempt at a text, and sending it back would cost more than it tells.
MAX_ECHO_VALUES = 1_000
MAX_QUOTED_CHARS = 2_000


def echo_of(item: object) -> object:
    """The item as it was sent, or None if it is too deep or too large or holds what JSON in UTF-8 cannot."""
    level: list[object] = [item]
    values = 0
    for _ in range(MAX_ECHO_DEPTH):
        values += len(level)
        if values > MAX_ECHO_VALUES or not all(map(_is_writable, level)):
            return None
        level = list(islice(chain.from_iterable(map(_children, level)), MAX_ECHO_VALUES + 1))
        if not level:
            return item
    return None


def is_unicode(text: str) -> bool:
    """Whether the text holds no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def quotable(text: str) -> str:
    """The text for an error message: cut after `MAX_QUOTED_CHARS`, with `?` for each half of a surrogate pair."""
    shown = text if len(text) <= MAX_QUOTED_CHARS else text[:MAX_QUOTED_CHARS] + "…"
    return shown.encode("utf-8", "replace").decode()


def _is_writable(value: object) -> bool:
    if isinstance(value, str):
        return is_unicode(value)
    return not isinstance(value, float) or math.isfinite(value)


def _children(value: object) -> Iterable[object]:
    """What an array or an object holds, names included."""
    if isinstance(value, list):
        return value
    return chain(value, value.values()) if isinstance(value, dict) else ()
