import math

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bundles.format import BundleConfig
from shared.errors import SettingsError, UnsupportedOptionError
from shared.options import LEVELS, Level, VerdictOptions
from worker.inference.verdict import Judge, rounded


def config(**fields: object) -> BundleConfig:
    defaults: dict = {
        "format_version": 1,
        "name": "test",
        "problem_type": "single_label_classification",
        "labels": ["clean", "curse", "insult"],
        "clean_label": "clean",
        "max_length": 64,
        "pad_token_id": 0,
    }
    return BundleConfig(**{**defaults, **fields})


MULTI = {
    "problem_type": "multi_label_classification",
    "labels": ["curse", "hate", "hate/gender"],
    "sub_labels": {"hate": ["hate/gender"]},
    "thresholds": {"curse": 0.3},
}


def logit(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))


def logits(*probabilities: float) -> np.ndarray:
    return np.array([logit(probability) for probability in probabilities], dtype=np.float32)


def test_a_single_label_model_answers_the_most_probable_label() -> None:
    verdict = Judge(config(), {}).judge([np.log(np.array([0.2, 0.7, 0.1], dtype=np.float32))])

    assert (verdict.classification, verdict.confidence, verdict.labels) == ("curse", 0.7, ["curse"])
    assert verdict.scores == {"curse": 0.7, "clean": 0.2, "insult": 0.1}
    assert list(verdict.scores) == ["curse", "clean", "insult"]


def test_the_window_with_the_highest_score_that_is_not_clean_decides() -> None:
    clean, cursing = np.array([5, 0, 0], dtype=np.float32), np.array([1, 2, 0], dtype=np.float32)

    verdict = Judge(config(), {}).judge([clean, cursing, clean])

    assert verdict == msgspec.structs.replace(Judge(config(), {}).judge([cursing]), windows=3)


def test_without_a_clean_label_the_mean_of_the_windows_decides() -> None:
    sentiment = config(labels=["positive", "negative"], clean_label=None)
    sure, unsure = np.array([4, 0], dtype=np.float32), np.array([0, 1], dtype=np.float32)

    verdict = Judge(sentiment, {}).judge([sure, unsure])

    assert verdict.classification == "positive"
    assert verdict.confidence == pytest.approx((0.982 + 0.2689) / 2, abs=1e-3)


def test_a_multi_label_model_answers_the_highest_of_the_labels_that_pass() -> None:
    verdict = Judge(config(**MULTI), {}).judge([logits(0.6, 0.9, 0.1)])

    assert (verdict.classification, verdict.confidence) == ("hate", 0.9)
    assert verdict.labels == ["hate", "curse"]


def test_a_multi_label_model_answers_clean_when_nothing_passes() -> None:
    verdict = Judge(config(**MULTI), {}).judge([logits(0.2, 0.4, 0.45)])

    assert (verdict.classification, verdict.labels) == ("clean", ["clean"])
    assert verdict.confidence == verdict.scores["clean"] == 0.6


def test_a_sub_label_is_listed_beside_its_parent_and_is_never_the_answer() -> None:
    verdict = Judge(config(**MULTI), {}).judge([logits(0.1, 0.6, 0.9)])

    assert verdict.classification == "hate"
    assert verdict.labels == ["hate/gender", "hate"]


def test_a_sub_label_without_its_parent_does_not_count() -> None:
    verdict = Judge(config(**MULTI), {}).judge([logits(0.1, 0.4, 0.9)])

    assert (verdict.classification, verdict.labels) == ("clean", ["clean"])


def test_a_curse_in_one_window_and_an_insult_in_another_both_count() -> None:
    insulting, cursing = logits(0.1, 0.9, 0.8), logits(0.7, 0.2, 0.1)

    verdict = Judge(config(**MULTI), {}).judge([insulting, cursing])

    assert (verdict.classification, verdict.labels) == ("hate", ["hate", "hate/gender", "curse"])
    assert verdict.scores == {"hate": 0.9, "hate/gender": 0.8, "curse": 0.7, "clean": 0.1}


def test_a_clean_window_between_others_hides_nothing() -> None:
    clean, cursing = logits(0.01, 0.01, 0.01), logits(0.7, 0.2, 0.1)

    verdict = Judge(config(**MULTI), {}).judge([clean, cursing, clean])

    assert verdict == msgspec.structs.replace(Judge(config(**MULTI), {}).judge([cursing]), windows=3)


def test_a_text_is_as_clean_as_its_worst_window_where_the_model_scores_clean_itself() -> None:
    own_clean = config(**MULTI | {"labels": ["clean", "curse", "hate"], "sub_labels": {}})

    verdict = Judge(own_clean, {}).judge([logits(0.9, 0.1, 0.1), logits(0.2, 0.6, 0.1)])

    assert verdict.scores == {"curse": 0.6, "clean": 0.2, "hate": 0.1}


def test_a_setting_overrides_the_threshold_of_the_bundle() -> None:
    assert Judge(config(**MULTI), {}).judge([logits(0.35, 0.1, 0.1)]).classification == "curse"
    assert Judge(config(**MULTI), {"curse": 0.4}).judge([logits(0.35, 0.1, 0.1)]).classification == "clean"


def test_a_threshold_for_an_unknown_label_is_refused_by_name() -> None:
    with pytest.raises(SettingsError, match="curze"):
        Judge(config(**MULTI), {"curze": 0.4})


LEVELLED = {
    **MULTI,
    "thresholds": {"hate/gender": 0.2},
    "strictness": {
        "lenient": {"curse": 0.8, "hate": 0.7, "hate/gender": 0.6},
        "standard": {"curse": 0.5, "hate": 0.5},
        "strict": {"curse": 0.3, "hate": 0.2},
    },
}


def test_each_level_has_its_own_thresholds_and_what_it_leaves_out_is_that_of_the_bundle() -> None:
    judge = Judge(config(**LEVELLED), {})

    assert judge.levels == {
        "lenient": {"curse": 0.8, "hate": 0.7, "hate/gender": 0.6},
        "standard": {"curse": 0.5, "hate": 0.5, "hate/gender": 0.2},
        "strict": {"curse": 0.3, "hate": 0.2, "hate/gender": 0.2},
    }
    assert list(judge.levels) == list(LEVELS)


@pytest.mark.parametrize(
    ("setting", "asked", "expected"),
    [
        ("standard", None, "clean"),
        ("standard", "strict", "curse"),
        ("strict", None, "curse"),
        ("strict", "standard", "clean"),
        ("strict", "lenient", "clean"),
    ],
)
def test_a_request_overrides_the_level_of_the_setting(setting: Level, asked: Level | None, expected: str) -> None:
    judge = Judge(config(**LEVELLED), {}, setting)

    assert judge.judge([logits(0.4, 0.1, 0.1)], VerdictOptions(asked)).classification == expected
    assert judge.thresholds == judge.levels[setting]


def test_thresholds_of_a_request_go_before_those_of_the_setting_and_these_before_the_level() -> None:
    judge = Judge(config(**LEVELLED), {"curse": 0.9})
    text = [logits(0.85, 0.1, 0.1)]

    assert judge.judge(text, VerdictOptions("strict")).classification == "clean"
    assert judge.judge(text, VerdictOptions("strict", (("curse", 0.8),))).classification == "curse"
    assert judge.judge(text, VerdictOptions(None, (("curse", 0.8),))).classification == "curse"
    assert judge.judge(text, VerdictOptions(None, (("hate", 0.8),))).classification == "clean"


def test_a_model_with_one_level_refuses_another_and_says_which_it_has() -> None:
    judge = Judge(config(**MULTI), {})

    assert judge.judge([logits(0.9, 0.1, 0.1)], VerdictOptions("standard")).classification == "curse"
    with pytest.raises(UnsupportedOptionError, match="the model test has only the strictness standard, not strict"):
        judge.judge([logits(0.9, 0.1, 0.1)], VerdictOptions("strict"))
    with pytest.raises(SettingsError, match=r"STRICTNESS=strict: .* has only the strictness standard"):
        Judge(config(**MULTI), {}, "strict")


@pytest.mark.parametrize("label", ["curze", "clean"])
def test_a_threshold_for_a_label_that_the_model_lacks_is_refused_with_those_it_has(label: str) -> None:
    with pytest.raises(UnsupportedOptionError, match=f'"{label}"; it has them for curse, hate, hate/gender') as raised:
        Judge(config(**MULTI), {}).judge([logits(0.9, 0.1, 0.1)], VerdictOptions(None, ((label, 0.4),)))
    assert raised.value.param == "thresholds"


def test_a_single_label_model_has_no_thresholds_to_set() -> None:
    with pytest.raises(UnsupportedOptionError, match="answers its highest label and has no thresholds"):
        Judge(config(), {}).judge([logits(0.9, 0.1, 0.1)], VerdictOptions(None, (("curse", 0.4),)))


def test_a_curve_moves_the_score_of_its_label_alone() -> None:
    curved = config(**MULTI, calibration={"curse": [(-1.0, -2.0), (1.0, 2.0)]})

    verdict = Judge(curved, {}).judge([np.array([-1.0, -1.0, -5.0], dtype=np.float32)])

    assert verdict.scores["curse"] == pytest.approx(1 / (1 + np.exp(2)), abs=1e-4)
    assert verdict.scores["hate"] == pytest.approx(1 / (1 + np.exp(1)), abs=1e-4)


def test_a_kind_is_never_above_its_parent_where_scores_promise_to_agree_with_the_answer() -> None:
    text = [logits(0.1, 0.4, 0.9)]

    assert Judge(config(**MULTI), {}).judge(text).scores["hate/gender"] == 0.9
    assert Judge(config(**LEVELLED), {}).judge(text).scores["hate/gender"] == 0.4


NAMES = ["curse", "insult", "hate", "hate/gender", "hate/age", "threat"]
AT_HALF = config(
    problem_type="multi_label_classification",
    labels=NAMES,
    sub_labels={"hate": ["hate/gender", "hate/age"]},
    strictness={level: dict.fromkeys(NAMES, turn) for level, turn in zip(LEVELS, (0.7, 0.5, 0.3), strict=True)},
    calibration={"curse": [(-3.0, -1.0), (0.0, 0.0), (1.0, 4.0)], "hate": [(-1.0, 0.0), (2.0, 1.0)]},
)
windows = st.lists(
    st.lists(st.floats(-40, 40, width=32), min_size=len(NAMES), max_size=len(NAMES)), min_size=1, max_size=4
)


@given(rows=windows)
@example(rows=[[0.0] * 6])
@example(rows=[[-1.0, -1.0, -1.0, 8.0, 8.0, -1.0]])
@example(rows=[[1e-6, -1e-6, -1.0, 0.0, 0.0, 0.0]])
def test_the_highest_score_is_the_answer_and_at_least_half_where_scores_turn_there(rows: list[list[float]]) -> None:
    verdict = Judge(AT_HALF, {}).judge([np.array(row, dtype=np.float32) for row in rows])

    assert next(iter(verdict.scores)) == verdict.classification
    assert verdict.confidence == max(verdict.scores.values()) >= 0.5
    assert verdict.confidence == verdict.scores[verdict.classification]
    assert list(verdict.scores.values()) == sorted(verdict.scores.values(), reverse=True)
    assert set(verdict.scores) == {"clean", *NAMES}
    # Labels follow from the scores that are shown, to the rounding.
    assert {name for name in NAMES if verdict.scores[name] > 0.5} <= set(verdict.labels)
    assert all(verdict.scores[name] >= 0.5 for name in verdict.labels)
    assert verdict.labels[0] == verdict.classification


@given(rows=windows, more=windows)
def test_more_windows_never_lower_the_score_of_a_label(rows: list[list[float]], more: list[list[float]]) -> None:
    judge = Judge(AT_HALF, {})
    part = judge.judge([np.array(row, dtype=np.float32) for row in rows]).scores
    whole = judge.judge([np.array(row, dtype=np.float32) for row in [*rows, *more]]).scores

    assert all(whole[name] >= part[name] for name in NAMES)
    assert whole["clean"] <= part["clean"]


@given(rows=windows)
def test_a_stricter_level_never_spares_what_a_milder_one_flags(rows: list[list[float]]) -> None:
    judge = Judge(AT_HALF, {})
    text = [np.array(row, dtype=np.float32) for row in rows]
    lenient, standard, strict = (set(judge.judge(text, VerdictOptions(level)).labels) for level in LEVELS)

    assert lenient - {"clean"} <= standard - {"clean"} <= strict - {"clean"}


@pytest.mark.parametrize(
    ("matter", "counting"),
    [
        (None, ["hate", "hate/gender", "curse"]),
        (("curse",), ["curse"]),
        (("hate",), ["hate"]),
        (("hate/gender",), ["hate", "hate/gender"]),
        ((), ["clean"]),
    ],
)
def test_only_labels_that_matter_count_and_a_kind_brings_its_label(
    matter: tuple[str, ...] | None, counting: list[str]
) -> None:
    verdict = Judge(config(**MULTI), {}).judge([logits(0.6, 0.9, 0.8)], VerdictOptions(labels=matter))

    assert verdict.labels == counting
    assert verdict.classification == counting[0]


def test_of_a_single_label_model_the_highest_label_that_matters_or_clean_is_the_answer() -> None:
    read = [np.log(np.array([0.2, 0.7, 0.1], dtype=np.float32))]

    assert Judge(config(), {}).judge(read, VerdictOptions(labels=("insult",))).classification == "clean"
    with pytest.raises(UnsupportedOptionError, match="no clean label"):
        Judge(config(clean_label=None), {}).judge(read, VerdictOptions(labels=("insult",)))


@given(st.floats(0, 1))
@example(0.00005)
@example(0.12345)
@example(0.33335)
@example(0.99995)
def test_a_score_is_rounded_as_round_does(score: float) -> None:
    assert rounded(score) == round(score, 4)


def test_what_is_no_number_stays_none() -> None:
    assert math.isnan(rounded(math.nan))
