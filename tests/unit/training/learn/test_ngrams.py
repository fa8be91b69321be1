"""The second opinion: what n-grams know of texts they were not told of."""

import pytest

pytest.importorskip("sklearn", reason="the training extra is not installed")

import numpy as np

from training.data.signals import ANY, TARGET_INDEX
from training.data.sources import Row
from training.learn.ngrams import Asked, opinions, source_opinions

POSITIVE = "nsmc/positive"


def review(text: str, *, positive: bool) -> Row:
    return Row(text, "nsmc", "train", {POSITIVE: float(positive)})


def test_a_word_of_the_labelled_rows_is_known_in_a_text_without_a_label() -> None:
    told = [review(f"{'밉상' if n % 2 else '응원'} 배우 이야기 {n}", positive=not n % 2) for n in range(40)]
    asked = [
        Row("정말 밉상 이네", "unlabelled_comments", "train"),
        Row("언제나 응원 합니다", "unlabelled_comments", "train"),
    ]
    negative, positive = opinions([*told, *asked], [POSITIVE])[-2:, 0]
    assert negative < 0 < positive


def test_a_row_is_judged_without_its_own_label() -> None:
    generator = np.random.default_rng(4)
    words = ["".join(chr(0xAC00 + code) for code in generator.integers(0, 11_000, 6)) for _ in range(200)]
    positive = generator.random(200) < 0.5
    rows = [review(f"{word} {word}", positive=bool(good)) for word, good in zip(words, positive, strict=True)]
    judged = opinions(rows, [POSITIVE])[:, 0]
    assert np.mean((judged > 0) == positive) < 0.65  # its own label would give it away: each word is in one row


def test_a_source_with_too_few_rows_has_no_opinion() -> None:
    rows = [review("하나", positive=True), review("둘", positive=False)]
    assert np.isnan(opinions(rows, [POSITIVE])).all()


def test_a_source_is_asked_of_its_own_rows_and_of_the_named_others_alone() -> None:
    told = [Row(f"{'밉상' if n % 2 else '응원'} 이야기 {n}", "kmhas", "train", {ANY: float(n % 2)}) for n in range(40)]
    other = Row("정말 밉상 이네", "unlabelled_comments", "train")
    stranger = Row("정말 밉상 이야", "kda", "train", {ANY: 1.0})

    found = source_opinions([*told, other, stranger], [Asked("kmhas", (ANY,), ("unlabelled_comments",))])

    column = found[:, TARGET_INDEX[ANY]]
    assert ((column[:40] > 0) == [n % 2 == 1 for n in range(40)]).all()
    assert column[40] > 0
    assert np.isnan(column[41])
    assert np.isnan(np.delete(found, TARGET_INDEX[ANY], axis=1)).all()
