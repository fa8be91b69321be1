"""The made-up rows: innocent sentences, and the same kind of sentence with a curse in it."""

import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

from training.data.lexicon import INTERJECTIONS
from training.data.prepare import CURSED, INNOCENT_SENTENCES, cursed_rows, innocent_rows, training_rows
from training.data.sources import EVERYDAY, Row, squashed

HARMLESS = [Row(f"오늘 점심 {number} 인분 시켰어요", EVERYDAY, "train", {"curse": 0.0}) for number in range(30)]


def test_a_cursed_row_is_a_harmless_sentence_with_one_curse_put_between_its_words() -> None:
    hosts = {squashed(row.text) for row in HARMLESS}
    rows = cursed_rows(HARMLESS)
    assert len(rows) == len(HARMLESS)
    for row in rows:
        words = row.text.split()
        without = {
            squashed(" ".join(words[:at] + words[at + 1 :])) for at, word in enumerate(words) if word in INTERJECTIONS
        }
        assert without & hosts
        assert row.targets["curse"] == 1.0
        assert row.targets.keys().isdisjoint({"kmhas/hate", "nsmc/positive"})


def test_the_same_sentences_are_cursed_every_time() -> None:
    assert cursed_rows(HARMLESS) == cursed_rows(HARMLESS)


def test_sentences_held_out_or_of_a_dev_split_are_not_cursed_into_training() -> None:
    secret = [
        Row(f"숨겨 둔 문장 {number}", EVERYDAY, split, {"curse": 0.0})
        for number, split in enumerate(["held out", "dev"])
    ]
    learnt = training_rows([*HARMLESS, *secret])
    assert any(row.source == CURSED for row in learnt)
    assert not any("숨겨 둔 문장" in row.text for row in learnt)


def test_a_sentence_that_a_curse_makes_into_a_dev_text_is_left_out() -> None:
    taken = next(row.text for row in training_rows(HARMLESS) if row.source == CURSED)
    learnt = training_rows([*HARMLESS, Row(taken, "curse_detection", "dev", {"curse": 1.0})])
    assert squashed(taken) not in {squashed(row.text) for row in learnt}


def test_innocent_sentences_are_clean_by_every_sources_word_and_none_comes_twice() -> None:
    sentences = [row for row in innocent_rows() if row.source == INNOCENT_SENTENCES]
    assert len({squashed(row.text) for row in sentences}) == len(sentences)
    assert all(set(row.targets.values()) == {0.0} and row.targets["curse"] == 0.0 for row in sentences)
