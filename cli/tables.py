"""Tables for a terminal: columns line up though Hangul is two cells wide, and no cell writes to the terminal itself."""

import shutil
from collections.abc import Iterable, Sequence

import wcwidth

_GAP = "  "
_MORE = "…"


def printable(text: str) -> str:
    """Text on one line, without the control characters by which a file could write to the terminal itself."""
    spaced = ("�" if "\ud800" <= character <= "\udfff" else _visible(character) for character in text)
    return " ".join("".join(spaced).split())


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    return " " if character.isspace() else ""


def fit(text: str, cells: int) -> str:
    """The text, cut to so many cells with an ellipsis."""
    if wcwidth.width(text) <= cells:
        return text
    return wcwidth.clip(text, 0, max(0, cells - 1)).rstrip() + _MORE


def table(header: Sequence[str], rows: Iterable[Sequence[str]], right: frozenset[int] = frozenset()) -> list[str]:
    """Lines of a table; the columns numbered in `right` line up at their right."""
    lines = [list(header), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(wcwidth.width(line[column]) for line in lines) for column in range(len(header))]
    return [
        _GAP.join(pad(cell, widths[column], to_right=column in right) for column, cell in enumerate(line)).rstrip()
        for line in lines
    ]


def pad(text: str, cells: int, *, to_right: bool = False) -> str:
    """The text with spaces up to so many cells."""
    return str(wcwidth.rjust(text, cells) if to_right else wcwidth.ljust(text, cells))


def terminal_cells() -> int:
    """Width of the terminal in cells; 80 where there is none."""
    return shutil.get_terminal_size().columns
