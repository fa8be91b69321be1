"""Normalising takes time in proportion to the text's length, whatever the text: four times the text, not sixteen.

Times are compared with each other, never with a clock: a text of 16,000 characters takes four times what one of 4,000
takes if time is linear, and sixteen times if it is quadratic. The processor's time is read, so a busy machine changes
little.
"""

import random
import re
import time
from collections.abc import Callable, Iterator

import pytest

from bundles.text import composing, drawn, jamo, signs
from bundles.text import normalise as module
from bundles.text.normalise import NORMALISERS, normalise

SHORT, LONG = 4_000, 16_000
MOST = 8
GRAIN_S = 0.001  # below this, a time says nothing


def _patterns() -> dict[str, re.Pattern[str]]:
    found = {"_too_many_marks": composing._too_many_marks()}
    for name, value in {
        **vars(composing),
        **vars(drawn),
        **vars(jamo),
        **vars(signs),
        **vars(module),
    }.items():
        if isinstance(value, re.Pattern):
            found[name] = value
        elif isinstance(value, tuple) and value and isinstance(value[0], tuple):
            found |= {f"{name}-{index}": pattern for index, (pattern, _) in enumerate(value)}
    return found


PATTERNS = _patterns()


def _units(alphabet: str, seed: str, count: int) -> Iterator[str]:
    """Units of one to four characters: single ones, alternations, near misses."""
    draw = random.Random(seed)
    yield from alphabet
    for length in (2, 3, 4):
        for _ in range(count):
            yield "".join(draw.choices(alphabet, k=length))


def _alphabet(pattern: re.Pattern[str]) -> str:
    """The characters that a pattern names, with one neighbour of each kind."""
    named = {char for char in pattern.pattern if not (char.isascii() and not char.isalnum())}
    signs = {char for char in "!|*.~^-_ @$" if char in pattern.pattern}
    drawn = random.Random(pattern.pattern).sample(sorted(named), min(len(named), 24))
    return "".join(sorted({*drawn, *signs, "가", "ㄱ", "ㅏ", "a", "1", "!", " "}))


def _text(unit: str, length: int, ending: str) -> str:
    return (unit * length)[: length - len(ending)] + ending


def _best_s(work: Callable[[str], object], text: str, tries: int) -> float:
    times = []
    for _ in range(tries):
        start = time.process_time()
        work(text)
        times.append(time.process_time() - start)
    return min(times)


def growth_of_time(work: Callable[[str], object], unit: str, ending: str = "") -> float:
    """How many times longer four times the text takes; a suspicious answer is measured again."""
    growth = 0.0
    for tries in (1, 3, 9):
        long_s = _best_s(work, _text(unit, LONG, ending), tries)
        growth = long_s / (_best_s(work, _text(unit, SHORT, ending), tries) + GRAIN_S)
        if growth <= MOST:
            break
    return growth


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_a_pattern_is_linear(name: str) -> None:
    pattern = PATTERNS[name]
    for unit in _units(_alphabet(pattern), name, 6):
        for ending in ("", "나"):
            growth = growth_of_time(lambda text: pattern.sub("", text), unit, ending)
            assert growth <= MOST, f"{unit!r} repeated, then {ending!r}"


WORST = [
    "조",
    "조오",
    "시바",
    "지이",
    "병시이",
    "아",
    "가아",
    "이",
    "s",
    "sS",
    "shi",
    "si",
    "시b",
    "ba",
    "by",
    "bye",
    "gae",
    "k",
    "fk",
    "f*",
    "a.",
    "가.",
    "ㄱ",
    "ㅏ",
    "ㄱㅏ",
    "ㄱㅏㅏ",
    "ㄱㄱㅏ",
    "시ㅣ",
    "시이잇",
    "ㅂ1",
    "ㅅ|",
    "1",
    "^",
    "凸",
    "凸a",
    "🖕b",
    "ѕa",
    "뱔",
    "쯧퉤",
    "븅",
    "C발",
    "ㅈㅗ",
    "조.",
    "ｓ",
    "㉦ㅣ",
    "\u1109\u1175",
    "\u1109",
    "\u11a8",
    "\u200b",
    "조\u200b",
    "가 ",
    "ㅅ ",
    "조 ",
    " ",
    "\n",
]
MARKS = [
    "\u0301",
    "\u0323\u0301",
    "a\u0301\u0323",
    "\u0301\u0323\u0334",
    "\u3099\u0301",
    "\u05b0\u0301",
    "\u0f71\u0301",
]
EVERYTHING = (
    "조오온나시씨바발알지이랄병신인새끼가아개ㄱㅅㅂㅣㅏㅐㅋㅗsShibalcfukyeong18^*.,!|_~- (["
    "凸🖕八쯧аѕ\u0301\u0323\u200b븅\n@$/뻐큐"
)


@pytest.mark.parametrize("version", sorted(NORMALISERS))
@pytest.mark.parametrize("unit", [*WORST, *MARKS])
def test_every_version_is_linear(version: str, unit: str) -> None:
    for ending in ("", "온나", "!"):
        assert growth_of_time(NORMALISERS[version], unit, ending) <= MOST


def test_the_normaliser_is_linear_for_drawn_texts() -> None:
    for unit in _units(EVERYTHING, "drawn", 40):
        assert growth_of_time(normalise, unit) <= MOST, f"{unit!r} repeated"


def test_the_normaliser_ends_where_it_began_for_drawn_texts() -> None:
    for unit in _units(EVERYTHING, "ends", 400):
        once = normalise(_text(unit, 100, ""))
        assert normalise(once) == once, f"{unit!r} repeated"


def test_more_marks_than_unicode_allows_in_a_run_are_cut() -> None:
    assert len(NORMALISERS["nfc"]("e" + "\u0323\u0334" * 5_000)) <= 31


def test_marks_of_ordinary_text_and_old_hangul_stay() -> None:
    for text in (
        "nai\u0308ve cafe\u0301",
        "\u1112\u119e\u11ab\u1100\u1173\u11af",
        "\u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd",
    ):
        assert NORMALISERS["nfc"](text * 60) == "".join(NORMALISERS["nfc"](text) for _ in range(60))
