import pytest

from bundles.format import BundleConfig
from worker.corrections.answer import CorrectedVerdicts

CONFIG = BundleConfig(
    format_version=1,
    name="m",
    problem_type="multi_label_classification",
    labels=["curse", "hate", "hate/age"],
    max_length=8,
    pad_token_id=0,
    clean_label="clean",
    sub_labels={"hate": ["hate/age"]},
)


@pytest.mark.parametrize(
    ("said", "classification", "labels", "scores"),
    [
        ("clean", "clean", ["clean"], {"clean": 1.0, "curse": 0.0, "hate": 0.0, "hate/age": 0.0}),
        ("curse", "curse", ["curse"], {"curse": 1.0, "hate": 0.0, "hate/age": 0.0, "clean": 0.0}),
        ("hate/age", "hate", ["hate", "hate/age"], {"hate": 1.0, "hate/age": 1.0, "curse": 0.0, "clean": 0.0}),
        ("gone", "gone", ["gone"], {"gone": 1.0, "curse": 0.0, "hate": 0.0, "hate/age": 0.0, "clean": 0.0}),
    ],
)
def test_what_a_person_said_has_the_score_one(
    said: str, classification: str, labels: list[str], scores: dict[str, float]
) -> None:
    verdict = CorrectedVerdicts(CONFIG).verdict(said)
    assert (verdict.classification, verdict.confidence, verdict.labels) == (classification, 1.0, labels)
    assert list(verdict.scores.items()) == list(scores.items())
    assert verdict.corrected is True
