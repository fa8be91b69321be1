"""The sets that the verdict is measured on: which row is in which, and the dilution of a text."""

from pathlib import Path

import pytest

np = pytest.importorskip("numpy")

from bundles.text.normalise import normalise  # noqa: E402  after the skip
from training.data.made_up import made_up_rows  # noqa: E402
from training.data.sets import dev_sets, diluted, pleasant_test_sentences, unseen_sets  # noqa: E402
from training.data.signals import READERS  # noqa: E402
from training.data.sources import TEST_DATA, Row, read_table, squashed  # noqa: E402

PLEASANT = [f"좋은 일 {number}" for number in range(30)]


def row(source: str, *labels: str, text: str = "글") -> Row:
    return Row(text, source, "dev", READERS[source]({"text": text, "labels": list(labels), "bias": "none"}))


IN_SET = [
    (row("kda", "neutral"), "K/DA neutral"),
    (row("kda", "implicit"), "K/DA implicit"),
    (row("kosbi", "safe"), "KoSBi safe"),
    (row("kosbi", "unsafe"), "KoSBi unsafe"),
    (row("beep", "none"), "BEEP none"),
    (row("beep", "offensive"), "BEEP offensive"),
    (row("beep", "hate"), "BEEP hate"),
    (row("hatescore", "Clean"), "HateScore clean"),
    (row("hatescore", "혐오발언"), "HateScore 혐오발언"),
    (row("hatescore", "단순 악플"), "HateScore 단순 악플"),
    (row("kmhas", "not_hate"), "K-MHaS not_hate"),
    (row("kmhas", "religion"), "K-MHaS any label"),
    (row("nsmc", "positive"), "NSMC positive"),
    (row("nsmc", "negative"), "NSMC negative"),
    (row("nsmc", "negative", text="ㅅㅂ 돈 아까워"), "NSMC negative"),
    (row("field", "clean"), "field, clean"),
    (row("field", "bad"), "field, bad"),
]


@pytest.mark.parametrize(("one", "name"), IN_SET, ids=lambda value: value if isinstance(value, str) else value.source)
def test_a_dev_row_is_in_the_set_that_its_source_says_and_in_no_other(one: Row, name: str) -> None:
    assert [found.name for found in dev_sets([one])] == [name]


def test_thresholds_are_chosen_on_sets_with_a_limit_alone() -> None:
    sets = dev_sets([one for one, _ in IN_SET])
    assert {found.name for found in sets if not found.tuned} == {
        *("BEEP none", "BEEP offensive", "BEEP hate", "HateScore clean", "KoSBi unsafe")
    }
    assert not any(found.tuned for found in unseen_sets())


def test_the_mixture_that_looks_like_use_is_a_whole_and_mostly_harmless() -> None:
    sets = dev_sets(row for row in made_up_rows(1) if row.split == "dev")
    assert sum(found.weight for found in sets) == pytest.approx(1.0)
    assert sum(found.weight for found in sets if not found.bad) == pytest.approx(0.9)


def test_every_row_of_the_test_tables_is_in_one_of_the_unseen_sets() -> None:
    sets = unseen_sets()
    tables = ("obfuscated", "innocent", "threats", "harmless", "abusive", "long")
    rows = sum(len(read_table(TEST_DATA / f"{name}.tsv")) for name in tables)

    assert sum(len(found.rows) for found in sets) == rows
    assert len({found.name for found in sets}) == len(sets)
    by_name = {found.name: found for found in sets}
    assert (by_name["disguised curses"].bad, by_name["disguised curses"].limit) == (True, 0.97)
    assert (by_name["innocent look-alikes"].bad, by_name["innocent look-alikes"].limit) == (False, 0.015)
    assert (by_name["threats"].bad, by_name["threats"].limit) == (True, 0.80)
    assert (by_name["long, harmless"].bad, by_name["long, one bad sentence"].bad) == (False, True)


def test_outside_a_checkout_there_are_no_unseen_sets(tmp_path: Path) -> None:
    assert unseen_sets(tmp_path) == []
    assert pleasant_test_sentences(tmp_path) == []


def test_dilution_is_the_same_every_time() -> None:
    texts = ["나쁜 글", "더 나쁜 글"]
    assert diluted(texts, PLEASANT, 2) == diluted(texts, PLEASANT, 2)
    assert diluted(texts, PLEASANT, 2) != diluted(texts, PLEASANT, 3)


@pytest.mark.parametrize("each_side", [2, 4, 8])
def test_a_diluted_text_stands_between_as_many_pleasant_sentences_on_each_side(each_side: int) -> None:
    texts = [f"나쁜 글 {number}번" for number in range(40)]
    surrounded = diluted(texts, PLEASANT, each_side)

    for text, whole in zip(texts, surrounded, strict=True):
        before, after = whole.split(text)
        assert before.count("좋은 일") == after.count("좋은 일") == each_side
    assert len({whole.replace(text, "") for text, whole in zip(texts, surrounded, strict=True)}) == len(texts)


def test_the_pleasant_test_sentences_are_many_and_none_is_another() -> None:
    pleasant = pleasant_test_sentences()
    assert len({squashed(normalise(text)) for text in pleasant}) == len(pleasant) >= 60
