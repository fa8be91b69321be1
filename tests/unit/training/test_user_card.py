"""The card of a bundle that a user trained."""

import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

from bundles.format import BundleConfig
from training.learn.metrics import Confusion
from training.user_card import user_card


def test_the_card_has_front_matter_scores_and_what_is_taken_for_what() -> None:
    config = BundleConfig(
        format_version=1,
        name="mine",
        problem_type="single_label_classification",
        labels=["정상", "a|b"],
        max_length=64,
        pad_token_id=1,
        clean_label="정상",
    )
    scores = {"정상": Confusion(12, 1, 0, 2), "a|b": Confusion(2, 0, 1, 12)}

    card = user_card(config, rows=(100, 0, 15), accuracy=14 / 15, scores=scores, confusions=[[12, 0], [1, 2]])

    assert card.startswith("---\nlanguage: ko\npipeline_tag: text-classification\n")
    assert "Accuracy 0.933, macro F1" in card
    assert "| 정상 | 12 | 0 |\n| a\\|b | 1 | 2 |" in card
    assert "Fewer than 10 texts were there to score these labels: a|b (3)." in card
