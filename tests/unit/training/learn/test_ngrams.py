"""The second opinion: what n-grams know of texts they were not told of, and how it joins the teacher's word."""

import pytest

pytest.importorskip("sklearn", reason="the training extra is not installed")

import numpy as np

from training.data.signals import SIGNAL_INDEX, SIGNALS
from training.data.sources import Row
from training.learn.ngrams import SECOND_OPINIONS, opinions, with_second_opinions

OFFENSIVE = "beep/offensive"
COLUMN = SECOND_OPINIONS.index(OFFENSIVE)


def beep(text: str, *, offensive: bool) -> Row:
    return Row(text, "beep", "train", {OFFENSIVE: float(offensive)})


def test_a_word_of_the_labelled_rows_is_known_in_a_text_without_a_label() -> None:
    told = [beep(f"{'밉상' if n % 2 else '응원'} 배우 이야기 {n}", offensive=bool(n % 2)) for n in range(40)]
    asked = [
        Row("정말 밉상 이네", "unlabelled_comments", "train"),
        Row("언제나 응원 합니다", "unlabelled_comments", "train"),
    ]
    bad, good = opinions([*told, *asked])[-2:, COLUMN]
    assert bad > 0 > good


def test_a_row_is_judged_without_its_own_label() -> None:
    generator = np.random.default_rng(4)
    words = ["".join(chr(0xAC00 + code) for code in generator.integers(0, 11_000, 6)) for _ in range(200)]
    offensive = generator.random(200) < 0.5
    rows = [beep(f"{word} {word}", offensive=bool(bad)) for word, bad in zip(words, offensive, strict=True)]
    judged = opinions(rows)[:, COLUMN]
    assert np.mean((judged > 0) == offensive) < 0.65  # its own label would give it away: each word is in one row


def test_a_source_with_too_few_rows_has_no_opinion() -> None:
    assert np.isnan(opinions([beep("하나", offensive=True), beep("둘", offensive=False)])).all()


def test_the_average_keeps_the_teachers_mean_and_spread_and_moves_with_both() -> None:
    generator = np.random.default_rng(5)
    taught = generator.normal(-1, 2, (300, len(SIGNALS))).astype(np.float32)
    found = np.full((300, len(SECOND_OPINIONS)), np.nan, dtype=np.float32)
    found[:, COLUMN] = generator.normal(5, 0.1, 300)
    labels = np.full_like(taught, np.nan)
    together = with_second_opinions(taught, found, labels)

    column = SIGNAL_INDEX[OFFENSIVE]
    others = [index for index in range(len(SIGNALS)) if index != column]
    assert np.array_equal(together[:, others], taught[:, others])
    assert together[:, column].mean() == pytest.approx(taught[:, column].mean(), abs=1e-3)
    assert together[:, column].std() == pytest.approx(taught[:, column].std(), rel=1e-3)
    by_teacher = np.corrcoef(together[:, column], taught[:, column])[0, 1]
    by_ngrams = np.corrcoef(together[:, column], found[:, COLUMN])[0, 1]
    assert by_teacher == pytest.approx(by_ngrams, abs=0.1)
    assert by_teacher > 0.6
