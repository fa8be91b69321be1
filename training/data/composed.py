"""Sentences composed from patterns: each draws its words anew, so that a kind of text is taught and not a list.

A file in `grammars/` holds one pattern a line. `(a|b|)` is one of its alternatives, the empty one included. In
`bad/*.txt` a line `[curse,insult]` names the labels of the patterns below it; patterns in `clean/*.txt` are harmless.
"""

import re
import zlib
from collections.abc import Iterator
from math import prod
from pathlib import Path

import numpy as np

from bundles.text.hangul import is_syllable, split_syllable

GRAMMARS = Path(__file__).with_name("grammars")
_CHOICE = re.compile(r"\(([^()]*)\)")
_SPACES = re.compile(r" {2,}")
_DRAWS = 40
_DRAWS_A_WORD = 2
_PARTICLES = (
    ("을", "를"),
    ("이", "가"),
    ("은", "는"),
    ("이나", "나"),
    ("이라는", "라는"),
    ("이라고", "라고"),
    ("이란", "란"),
)
_TAILS = ("ㅋㅋ", "ㅋㅋㅋ", "ㅎㅎ", "ㅠㅠ", "ㅠ", "!", "!!", "...", ".", "~", ";;", "?", "ㄷㄷ", " ㅡㅡ")
_TAIL_SHARE, _JOINED_SHARE, _SLIP_SHARE = 0.22, 0.1, 0.12

Generator = np.random.Generator


def patterns(path: Path) -> Iterator[tuple[str, str]]:
    """Each pattern of a file with the labels that stand above it, '' where none does."""
    labels = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("[") and line.endswith("]"):
            labels = line[1:-1]
        elif line.strip():
            yield labels, line


def composed(path: Path) -> list[tuple[str, str]]:
    """The sentences of a file with their labels, the same every time and none twice."""
    found: dict[str, str] = {}
    for labels, pattern in patterns(path):
        generator = np.random.default_rng(zlib.crc32(pattern.encode()))
        for _ in range(draws(pattern)):
            found.setdefault(as_written(filled(pattern, generator), generator), labels)
    return [(labels, text) for text, labels in found.items()]


def draws(pattern: str) -> int:
    """How many sentences a pattern gives: more where it has a long list of words, no more than it can give."""
    options = [match[1].count("|") + 1 for match in _CHOICE.finditer(pattern)] or [1]
    return min(max(_DRAWS, _DRAWS_A_WORD * max(options)), prod(options))


def filled(pattern: str, generator: Generator) -> str:
    """One sentence of a pattern."""
    while choice := _CHOICE.search(pattern):
        before, options = pattern[: choice.start()], choice[1].split("|")
        pattern = before + agreeing(options[int(generator.integers(len(options)))], before) + pattern[choice.end() :]
    return _SPACES.sub(" ", pattern).strip()


def agreeing(particle: str, before: str) -> str:
    """The form of a particle that fits the syllable before it; any other word as it is."""
    word = before.rstrip(" \"'")
    for pair in _PARTICLES:
        if particle in pair and word and is_syllable(word[-1]):
            return pair[0] if split_syllable(word[-1])[2] else pair[1]
    return particle


def as_written(text: str, generator: Generator) -> str:
    """`text` as it might be typed in a hurry: good and bad alike, so that style says nothing."""
    if generator.random() < _JOINED_SHARE:
        text = text.replace(" ", "")
    elif generator.random() < _SLIP_SHARE and " " in text:
        places = [match.start() for match in re.finditer(" ", text)]
        place = places[int(generator.integers(len(places)))]
        text = text[:place] + text[place + 1 :]
    if generator.random() < _TAIL_SHARE:
        text += _TAILS[int(generator.integers(len(_TAILS)))]
    return text
