"""The rows that stand in for the labelled files: of every source, repeatable, and without contradictions."""

import re
from collections import Counter

import pytest

pytest.importorskip("numpy")

from training.data.made_up import made_up_rows
from training.data.sets import dev_sets
from training.data.signals import READERS

CURSES = re.compile(r"(같네|이다|꺼져라|그만해라) \d+$")


def test_the_same_seed_gives_rows_of_every_source() -> None:
    rows = made_up_rows(3)
    assert rows == made_up_rows(3) != made_up_rows(4)
    assert set(Counter(row.source for row in rows)) == set(READERS)
    assert {row.split for row in rows if row.source == "field"} == {"dev"}
    assert not {row.text for row in rows if row.split == "dev"} & {row.text for row in rows if row.split == "train"}


def test_no_harmless_dev_set_holds_a_line_that_curses_and_a_bad_one_holds_no_other() -> None:
    for item in dev_sets(row for row in made_up_rows(5) if row.split == "dev"):
        assert item.texts
        assert {bool(CURSES.search(text)) for text in item.texts} == {item.bad}, item.name
