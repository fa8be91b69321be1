"""Distillation: whose word a target is."""

import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

import numpy as np

from training.data.signals import ACCUSING, ANY, SIGNAL_INDEX, SIGNALS, TARGET_INDEX, TARGETS
from training.learn.distil import TEACHER_SHARE, blended, soft_targets, with_any

CURSE, INSULT, ANY_AT = TARGET_INDEX["curse"], TARGET_INDEX["insult"], TARGET_INDEX[ANY]


def taught(known: dict[str, float], said: dict[str, float], *, certain: bool = False) -> np.ndarray:
    """The targets of one row with these labels and these logits of the teacher (0 where not named)."""
    labels = np.full((1, len(TARGETS)), np.nan, np.float32)
    for name, value in known.items():
        labels[0, TARGET_INDEX[name]] = value
    logits = np.zeros((1, len(SIGNALS)), np.float32)
    for name, value in said.items():
        logits[0, SIGNAL_INDEX[name]] = value
    return soft_targets(labels, with_any(logits), np.array([certain], np.float32))[0]


def sigmoid(logit: float) -> float:
    return float(1 / (1 + np.exp(-logit)))


def test_a_known_label_and_the_teacher_share_the_target_and_the_rest_is_the_teachers() -> None:
    targets = taught({"curse": 1.0}, {"insult": 2.0})
    assert targets[CURSE] == pytest.approx(TEACHER_SHARE * 0.5 + (1 - TEACHER_SHARE))
    assert targets[INSULT] == pytest.approx(sigmoid(2.0))
    assert not np.isnan(targets).any()


def test_a_certain_label_stands_and_what_it_leaves_open_is_the_teachers() -> None:
    targets = taught({"curse": 0.0, ANY: 1.0}, {"curse": 3.0, "insult": 3.0}, certain=True)
    assert (targets[CURSE], targets[ANY_AT]) == (0.0, 1.0)
    assert targets[INSULT] == pytest.approx(sigmoid(3.0))


@pytest.mark.parametrize("highest", ACCUSING)
def test_the_teacher_says_bad_as_surely_as_its_surest_accusing_label(highest: str) -> None:
    others = {**dict.fromkeys(ACCUSING, -4.0), "hate/gender": 5.0, "beep/offensive": 5.0}
    assert taught({}, {**others, highest: 1.5})[ANY_AT] == pytest.approx(sigmoid(1.5))


def test_a_second_opinion_has_as_much_say_as_the_teacher_where_there_is_one() -> None:
    generator = np.random.default_rng(5)
    said = generator.normal(1.0, 3.0, (200, 1)).astype(np.float32)
    surer = generator.normal(-40.0, 100.0, (200, 1)).astype(np.float32)
    surer[150:] = np.nan

    found = blended(said, surer, ["one"] * 150 + ["other"] * 50)

    assert (found[150:] == said[150:]).all()
    both = np.corrcoef(found[:150, 0], said[:150, 0])[0, 1], np.corrcoef(found[:150, 0], surer[:150, 0])[0, 1]
    assert both[0] == pytest.approx(both[1], abs=1e-3)
    assert found[:150].mean() == pytest.approx(said[:150].mean(), abs=1e-3)
