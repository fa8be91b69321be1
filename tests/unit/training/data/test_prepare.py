"""The made-up rows, the draw of an epoch, and texts put between harmless sentences."""

import re
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

import numpy as np
from tokenizers import Tokenizer

from bundles.text.normalise import normalise
from training.data.lexicon import CERTAIN_CURSES, INTERJECTIONS
from training.data.prepare import (
    CURSED,
    INNOCENT_SENTENCES,
    EpochMaker,
    Mixture,
    choose,
    curse_rows,
    cursed_rows,
    family_rows,
    innocent_rows,
    pleasant_sentences,
    targets_of,
    training_rows,
)
from training.data.signals import ANY, CLEAN, TARGET_INDEX, bad
from training.data.sources import EVERYDAY, Row, squashed

TOKENIZER = Path(__file__).resolve().parents[4] / "models" / "default" / "tokenizer.json"
HARMLESS = [Row(f"오늘 점심 {number} 인분 시켰어요", EVERYDAY, "train", dict(CLEAN)) for number in range(30)]


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
        assert row.targets == {ANY: 1.0, "curse": 1.0, "threat": 0.0}


def test_the_same_sentences_are_cursed_every_time() -> None:
    assert cursed_rows(HARMLESS) == cursed_rows(HARMLESS)


def test_a_made_up_line_around_an_outright_curse_curses_and_threatens_nobody() -> None:
    rows = curse_rows()
    assert all(any(curse in row.text for curse in CERTAIN_CURSES) for row in rows)
    assert all(row.targets == {ANY: 1.0, "curse": 1.0, "threat": 0.0} for row in rows)


def test_sentences_held_out_or_of_a_dev_split_are_not_cursed_into_training() -> None:
    secret = [
        Row(f"숨겨 둔 문장 {number}", EVERYDAY, split, dict(CLEAN)) for number, split in enumerate(["held out", "dev"])
    ]
    learnt = training_rows([*HARMLESS, *secret])
    assert any(row.source == CURSED for row in learnt)
    assert not any("숨겨 둔 문장" in row.text for row in learnt)


def test_a_sentence_that_a_curse_makes_into_a_dev_text_is_left_out() -> None:
    taken = next(row.text for row in training_rows(HARMLESS) if row.source == CURSED)
    learnt = training_rows([*HARMLESS, Row(taken, "curse_detection", "dev", {"curse": 1.0})])
    assert squashed(taken) not in {squashed(row.text) for row in learnt}


def test_innocent_sentences_are_clean_and_none_comes_twice() -> None:
    sentences = [row for row in innocent_rows() if row.source == INNOCENT_SENTENCES]
    assert len({squashed(row.text) for row in sentences}) == len(sentences)
    assert all(row.targets == CLEAN for row in innocent_rows())


def test_a_row_comes_again_only_after_all_others_of_its_source() -> None:
    rows = [*(Row(f"글 {n}", "kda", "train", dict(CLEAN)) for n in range(10)), Row("기사", "headlines", "train")]
    chosen = choose(rows, Mixture({"kda": 25}), np.random.default_rng(0))
    counts = np.bincount(chosen, minlength=11)

    assert counts[:10].sum() == 25
    assert set(counts[:10]) == {2, 3}
    assert counts[10] == 1  # a source that the mixture does not name gives its rows once


def test_the_bad_rows_of_a_source_can_be_asked_for_apart() -> None:
    rows = [Row(f"글 {n}", "kda", "train", bad("insult") if n < 4 else dict(CLEAN)) for n in range(10)]
    chosen = choose(rows, Mixture({"kda": 3, "kda:bad": 8}), np.random.default_rng(0))
    assert (sum(index < 4 for index in chosen), sum(index >= 4 for index in chosen)) == (8, 3)


def test_a_family_is_read_as_often_as_the_mixture_says() -> None:
    rows = [Row(f"글 {n}", "clean/facts", "train", dict(CLEAN)) for n in range(10)]
    generator = np.random.default_rng(0)
    assert len(choose(rows, Mixture({}, family_rounds=3), generator)) == 30
    assert len(choose(rows, Mixture({}, family_rows=4), generator)) == 4
    assert len(choose(rows, Mixture({"clean/facts": 7}, family_rows=4), generator)) == 7


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(TOKENIZER))


def read_back(tokenizer: Tokenizer, ids: list[int]) -> str:
    """The text that the tokens spell, without white space."""
    return squashed(tokenizer.decode(ids[1:-1]))


def test_a_surrounded_text_keeps_the_bad_sentence(tokenizer: Tokenizer) -> None:
    families = family_rows()
    rows = [row for row in families if row.source.startswith("bad/")][::8]
    around = pleasant_sentences(families)
    maker = EpochMaker(rows, targets_of(rows), tokenizer, Mixture({}, noise_share=0.0, padded_share=1.0), around)
    cut, longer = [], 0

    for seed in range(3):
        order = choose(rows, maker.mixture, np.random.default_rng(seed))
        data = maker(0, np.random.default_rng(seed))
        for index, ids in zip(order, data.ids, strict=True):
            own = tokenizer.encode(normalise(rows[index].text)).ids
            longer += len(ids) > len(own) + 8
            if read_back(tokenizer, own) not in read_back(tokenizer, ids):
                cut.append(rows[index].text)
        assert (data.targets[:, TARGET_INDEX[ANY]] == 1.0).all()

    assert longer > len(rows)
    assert len(cut) <= 0.01 * 3 * len(rows), cut  # a text that would be very long loses its end


def test_only_the_padded_share_is_surrounded_and_then_by_pleasant_sentences_alone(tokenizer: Tokenizer) -> None:
    rows = [Row(f"나쁜 글 {n}", "malicious_comments", "train", bad("insult")) for n in range(400)]
    mixture = Mixture({}, noise_share=0.0, padded_share=0.25)
    maker = EpochMaker(rows, targets_of(rows), tokenizer, mixture, ["좋은 하루 보내세요"])
    texts = [read_back(tokenizer, ids) for ids in maker(0, np.random.default_rng(1)).ids]

    surrounded = [text for text in texts if not re.fullmatch("나쁜글[0-9]+", text)]
    assert 0.15 < len(surrounded) / len(texts) < 0.3
    # A window's ends cut through the sentences around a text, never through the text.
    assert {re.sub("[좋은하루보내세요]+(?=나쁜글)|(?<=[0-9])[좋은하루보내세요]+", "", text) for text in texts} == {
        squashed(row.text) for row in rows
    }


def test_more_of_the_bad_texts_can_be_surrounded_and_all_fit_a_window(tokenizer: Tokenizer) -> None:
    mixture = Mixture({}, noise_share=0.0, padded_share=0.0, padded_bad_share=1.0)
    rows = [*HARMLESS, Row("야 이 나쁜 사람아", "malicious_comments", "train", bad("insult"))]
    data = EpochMaker(rows, targets_of(rows), tokenizer, mixture, ["오늘은 하늘이 참 맑고 바람도 시원하네요"] * 4)
    plain = {len(tokenizer.encode(normalise(row.text)).ids) for row in HARMLESS}
    widths = set()
    for seed in range(20):
        epoch = data(0, np.random.default_rng(seed))
        is_bad = epoch.targets[:, TARGET_INDEX[ANY]] == 1.0
        assert {len(ids) for ids, found in zip(epoch.ids, is_bad, strict=True) if not found} <= plain
        widths |= {len(ids) for ids, found in zip(epoch.ids, is_bad, strict=True) if found}
    assert max(widths) == mixture.max_length
    assert len(widths) > 5


def test_an_epoch_is_the_same_for_the_same_generator(tokenizer: Tokenizer) -> None:
    maker = EpochMaker(HARMLESS, targets_of(HARMLESS), tokenizer, Mixture({}, 0.5, 0.5), ["좋은 하루 보내세요"])
    first, again, other = (maker(0, np.random.default_rng(seed)).ids for seed in (3, 3, 4))
    assert first == again
    assert first != other


@pytest.mark.parametrize("source", ["clean/homographs", "bad/disguised", INNOCENT_SENTENCES])
def test_what_a_disguise_would_turn_round_is_never_disguised(tokenizer: Tokenizer, source: str) -> None:
    rows = [Row("시발점에서 버스를 탔어요", source, "train", dict(CLEAN))] * 40
    plain = tokenizer.encode(normalise(rows[0].text)).ids

    def epoch(kept: list[Row]) -> list[list[int]]:
        return EpochMaker(kept, targets_of(kept), tokenizer, Mixture({}, noise_share=1.0))(
            0, np.random.default_rng(2)
        ).ids

    assert all(ids == plain for ids in epoch(rows))
    assert any(ids != plain for ids in epoch([Row(row.text, "kda", "train", row.targets) for row in rows]))


def test_pleasant_sentences_are_short_and_harmless() -> None:
    rows = [
        Row("오늘도 좋은 하루", EVERYDAY, "train", dict(CLEAN)),
        Row("네", EVERYDAY, "train", dict(CLEAN)),
        Row("너는 왜 그 모양이냐", "kda", "train", bad("insult")),
        Row("영화가 좋았다", "nsmc", "train", dict(CLEAN)),
    ]
    assert pleasant_sentences(rows) == ["오늘도 좋은 하루"]
