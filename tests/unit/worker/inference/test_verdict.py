import numpy as np
import pytest

from bundles.format import BundleConfig
from shared.errors import SettingsError
from worker.inference.verdict import Judge


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

    assert verdict == Judge(config(), {}).judge([cursing])


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


def test_a_setting_overrides_the_threshold_of_the_bundle() -> None:
    assert Judge(config(**MULTI), {}).judge([logits(0.35, 0.1, 0.1)]).classification == "curse"
    assert Judge(config(**MULTI), {"curse": 0.4}).judge([logits(0.35, 0.1, 0.1)]).classification == "clean"


def test_a_threshold_for_an_unknown_label_is_refused_by_name() -> None:
    with pytest.raises(SettingsError, match="curze"):
        Judge(config(**MULTI), {"curze": 0.4})
