"""A column of the wide part with a constant of its own."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason="the training extra is not installed")

import numpy as np  # noqa: E402  after the skip

from training.data.signals import SIGNAL_INDEX  # noqa: E402
from training.data.sources import Row  # noqa: E402
from training.learn.own_column import add_own_column  # noqa: E402
from training.learn.wide import OwnColumn, Wide, WidePlan, fit_wide  # noqa: E402

BUCKETS, WINDOW, THREAT = 400, 8, SIGNAL_INDEX["threat"]
HARMLESS = [f"좋은 하루 {number}" for number in range(12)]
WORDS = {
    word: number
    for number, word in enumerate(["<s>", "</s>", *["좋은", "하루", "찾아갈게", "밤에", "조심해", "반가워"]])
}
PIECES = len(WORDS) + 12


def encode(texts: Sequence[str]) -> list[list[int]]:
    ids = [
        [WORDS.get(word, len(WORDS) + int(word) if word.isdigit() else 0) for word in text.split()] for text in texts
    ]
    return [[WORDS["<s>"], *row, WORDS["</s>"]] for row in ids]


ROWS = [
    *(Row(f"밤에 찾아갈게 {n}", "bad/threats", "train", {"threat": 1.0, "curse": 0.0}) for n in range(12)),
    *(Row(f"찾아갈게 반가워 {n}", "clean/not_threats", "train", {"threat": 0.0, "curse": 0.0}) for n in range(12)),
    *(Row(text, "kda", "train", {"threat": 0.0, "curse": 1.0}) for text in HARMLESS),
]
IDS = encode([row.text for row in ROWS])
PLAN = WidePlan(labels=("curse",), buckets=BUCKETS, strictest=False, own=OwnColumn("threat"))


def added(plan: WidePlan) -> tuple[Wide, float]:
    wide = fit_wide(ROWS, IDS, plan, pieces=PIECES, window_tokens=WINDOW)
    return add_own_column(wide, ROWS, IDS, plan, WINDOW)


def logit(wide: Wide, bias: float, text: str) -> float:
    ids = torch.tensor(encode([text]))
    return float(wide(ids)[0, :, THREAT].sum() / len(ids[0]) ** 0.5) + bias


def test_the_column_speaks_for_its_label_alone_and_the_others_are_as_they_were() -> None:
    before = fit_wide(ROWS, IDS, PLAN, pieces=PIECES, window_tokens=WINDOW)
    wide, _ = added(PLAN)

    assert torch.equal(wide.table[:, :-1], before.table)
    assert torch.equal(wide.spread[:-1], before.spread)
    assert np.flatnonzero(wide.spread[-1].numpy()).tolist() == [THREAT]


def test_with_its_constant_in_the_bias_a_threat_is_told_from_what_looks_like_one() -> None:
    wide, bias = added(replace(PLAN, own=OwnColumn("threat", share=1.0, penalty=30.0, turn=0.0)))

    assert logit(wide, bias, "밤에 찾아갈게 3") > 0
    for text in ("찾아갈게 반가워 3", "좋은 하루 4"):
        assert logit(wide, bias, text) < 0, text


def test_the_ends_of_a_text_have_no_weight_and_the_turn_is_taken_off_the_bias() -> None:
    wide, bias = added(PLAN)
    later, its_bias = added(replace(PLAN, own=OwnColumn("threat", turn=2.0)))

    assert wide.table[[WORDS["<s>"], WORDS["</s>"]], -1].tolist() == [0, 0]
    assert torch.equal(wide.table, later.table)
    assert bias - its_bias == pytest.approx(1.5)


def test_a_plan_without_such_a_label_is_refused() -> None:
    with pytest.raises(ValueError, match="no label"):
        added(replace(PLAN, own=None))
