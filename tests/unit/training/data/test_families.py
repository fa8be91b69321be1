"""The sentences written for kinds of text that the sources lack: every line is read, and none contradicts another."""

from collections import Counter, defaultdict
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

from bundles.text.normalise import normalise
from training.data.prepare import FAMILIES, family_rows, sentiment_rows
from training.data.signals import ANY, CLEAN, SERVED
from training.data.sources import Row, held_out_rows, squashed
from training.ship.serving import SENTIMENT_LABELS

BAD_FILES = sorted((FAMILIES / "bad").glob("*.tsv"))


def lines(folder: str) -> list[tuple[Path, int, str]]:
    return [
        (path, number, line)
        for path in sorted((FAMILIES / folder).iterdir())
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if line.strip()
    ]


@pytest.mark.parametrize("path", BAD_FILES, ids=lambda path: path.stem)
def test_every_line_of_a_bad_family_has_known_labels_and_a_text(path: Path) -> None:
    faulty = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        labels, *texts = line.split("\t")
        known = set(labels.split(",")) <= set(SERVED)
        if not known or len(texts) != 1 or not texts[0].strip():
            faulty.append((number, line))
    assert faulty == []


def test_the_rows_are_the_lines_of_the_files() -> None:
    rows = family_rows()
    counts = Counter(row.source for row in rows)
    written = Counter(f"{path.parent.name}/{path.stem}" for folder in ("clean", "bad") for path, _, _ in lines(folder))

    assert counts == written
    assert min(counts.values()) > 100
    assert all(row.split == "train" for row in rows)


def test_a_clean_family_is_clean_and_a_bad_one_is_not() -> None:
    for row in family_rows():
        if row.source.startswith("clean/"):
            assert row.targets == CLEAN
        else:
            assert row.targets[ANY] == 1.0
            assert any(row.targets.get(name) == 1.0 for name in SERVED)


def test_what_a_writer_does_not_name_is_no_curse_no_threat_and_no_other_kind(tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "made.tsv").write_text("insult\t모자란 사람\nhate/age\t틀딱들\n", encoding="utf-8")

    insult, hate = (row.targets for row in family_rows(tmp_path))

    assert insult == {ANY: 1.0, "insult": 1.0, "curse": 0.0, "threat": 0.0}
    assert (hate["hate"], hate["hate/age"], hate["hate/gender"], hate["curse"]) == (1.0, 1.0, 0.0, 0.0)
    assert "insult" not in hate


def test_no_sentence_is_both_clean_and_bad() -> None:
    sides = defaultdict(set)
    for row in family_rows():
        for key in (squashed(row.text), squashed(normalise(row.text))):
            sides[key].add(row.source.split("/")[0])
    assert [key for key, found in sides.items() if len(found) > 1] == []


def test_no_bad_sentence_has_two_sets_of_labels() -> None:
    labels = defaultdict(set)
    for _, _, line in lines("bad"):
        named, _, text = line.partition("\t")
        labels[squashed(text)].add(frozenset(named.split(",")))
    assert [text for text, found in labels.items() if len(found) > 1] == []


def test_a_sentence_of_the_sentiment_families_has_one_tone_and_is_in_no_test_set() -> None:
    rows = sentiment_rows([], [])
    tones = defaultdict(set)
    for row, tone in rows:
        tones[squashed(row.text)].add(tone)

    assert {tone for _, tone in rows} == set(SENTIMENT_LABELS)
    assert [text for text, found in tones.items() if len(found) > 1] == []
    assert not set(tones) & {squashed(row.text) for row in held_out_rows()}


def test_sources_that_take_no_side_are_neutral() -> None:
    train = [Row("국회, 예산안 처리", "headlines", "train"), Row("재미없다", "nsmc", "train", {"nsmc/positive": 0.0})]
    known = {row.text for row, _ in sentiment_rows([], [])}
    assert [(row.text, tone) for row, tone in sentiment_rows([], train) if row.text not in known] == [
        ("국회, 예산안 처리", "neutral")
    ]
