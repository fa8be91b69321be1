"""The scale of the Perspective door."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.doors.perspective.scores import ATTRIBUTES, AttributeScale, stretch
from shared.messages import ModelInfo
from shared.verdict import Verdict

SCORES = st.floats(0, 1)


def model(labels: list[str], clean: str | None = "clean", levels: dict | None = None) -> ModelInfo:
    levels = {} if levels is None else levels
    return ModelInfo(
        name="m",
        revision="1",
        problem_type="multi_label_classification" if levels else "single_label_classification",
        labels=labels,
        clean_label=clean,
        strictness="standard",
        thresholds=levels.get("standard", {}),
        levels=levels,
        max_length=64,
    )


@given(st.lists(SCORES, min_size=3, max_size=3).map(sorted), SCORES, SCORES)
def test_the_scale_rises_and_has_its_three_points(turns: list[float], one: float, other: float) -> None:
    low, high = sorted((one, other))
    scale = (turns[0], turns[1], turns[2])

    assert 0 <= stretch(low, scale) <= stretch(high, scale) <= 1
    for turn, value in zip(turns, (0.7, 0.8, 0.9), strict=True):
        assert (stretch(low, scale) >= value) == (low >= turn)


def test_an_attribute_needs_its_label_and_every_one_a_label_for_clean() -> None:
    assert AttributeScale(model(["clean", "curse", "insult", "hate", "threat"])).attributes == set(ATTRIBUTES)
    assert AttributeScale(model(["clean", "hate"])).attributes == {"TOXICITY", "IDENTITY_ATTACK"}
    assert AttributeScale(model(["positive", "negative"], clean=None)).attributes == set()


@pytest.mark.parametrize("top", ["clean", "curse", "insult"])
def test_of_labels_that_share_one_score_the_highest_decides(top: str) -> None:
    scores = {"clean": 0.3, "curse": 0.35, "insult": 0.35, top: 0.36}
    verdict = Verdict(top, scores[top], scores, [top])
    values = AttributeScale(model(["clean", "curse", "insult"])).values(verdict)

    assert (values["TOXICITY"] >= 0.8) == (top != "clean")
    assert (values["PROFANITY"] >= 0.8) == (top != "clean")


def test_a_verdict_that_a_rule_has_changed_decides_over_its_scores() -> None:
    levels = {level: {"curse": 0.5, "insult": 0.5} for level in ("lenient", "standard", "strict")}
    scale = AttributeScale(model(["curse", "insult"], levels=levels))
    for curse, insult in itertools.product((0.01, 0.99), repeat=2):
        scores = {"curse": curse, "insult": insult, "clean": 0.5}
        allowed = scale.values(Verdict("clean", 1.0, scores, ["clean"]))
        denied = scale.values(Verdict("denied", 1.0, scores, ["denied"]))

        assert max(allowed.values()) < 0.8
        assert denied["TOXICITY"] >= 0.8
        assert denied["INSULT"] < 0.8
