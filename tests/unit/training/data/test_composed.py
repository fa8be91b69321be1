"""Sentences composed from patterns: what a pattern gives, and what all of them say together."""

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

from bundles.text.normalise import normalise
from training.data.composed import GRAMMARS, agreeing, composed, filled, patterns
from training.data.prepare import composed_rows, family_rows
from training.data.signals import ANY, CLEAN, SERVED
from training.data.sources import squashed

FILES = sorted(GRAMMARS.glob("*/*.txt"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_pattern_of_a_file_can_be_filled_and_has_labels_where_it_is_bad(path: Path) -> None:
    for labels, pattern in patterns(path):
        assert not set("()|") & set(filled(pattern, np.random.default_rng(1))) or "ㅗ" in pattern, pattern
        assert (path.parent.name == "bad") == bool(labels), pattern
        assert not labels or set(labels.split(",")) <= set(SERVED), labels


def test_a_pattern_gives_each_of_its_sentences_and_none_twice(tmp_path: Path) -> None:
    path = tmp_path / "made.txt"
    path.write_text("[insult]\n(이|저) (집|가게)(이|가) 별로\n", encoding="utf-8")
    found = composed(path)
    assert len(found) == len({text for _, text in found})
    assert {labels for labels, _ in found} == {"insult"}
    assert found == composed(path)


@pytest.mark.parametrize(
    ("before", "said", "agreed"),
    [
        ("집", "를", "을"),
        ("가게", "을", "를"),
        ('"병신" ', "라는", "이라는"),
        ("ㅂㅅ", "는", "는"),
        ("집", "에서", "에서"),
    ],
)
def test_a_particle_agrees_with_the_syllable_before_it(before: str, said: str, agreed: str) -> None:
    assert agreeing(said, before) == agreed


def test_composed_rows_are_clean_or_bad_as_their_folder_says() -> None:
    rows = composed_rows()
    assert len(rows) > 8_000
    for row in rows:
        assert row.targets == CLEAN if row.source.startswith("clean/") else row.targets[ANY] == 1.0


def test_no_composed_sentence_is_both_clean_and_bad() -> None:
    sides = defaultdict(set)
    for row in [*composed_rows(), *family_rows()]:
        for key in (squashed(row.text), squashed(normalise(row.text))):
            sides[key].add(row.source.split("/")[0])
    assert [key for key, found in sides.items() if len(found) > 1] == []
