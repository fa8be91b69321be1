"""Served labels: folded into the head without changing a score, calibrated, and with thresholds that have an aim."""

import pytest

torch = pytest.importorskip("torch", reason="the training extra is not installed")

import numpy as np  # noqa: E402  after the skip
from transformers import BertConfig  # noqa: E402

from training.data.signals import SIGNAL_INDEX, SIGNALS  # noqa: E402
from training.data.sources import Row  # noqa: E402
from training.learn.metrics import sigmoid  # noqa: E402
from training.learn.network import CommentNetwork, new_encoder  # noqa: E402
from training.score.evaluate import score_questions  # noqa: E402
from training.ship.calibrate import Dev, calibrate, fit_logistic  # noqa: E402
from training.ship.serving import TOXICITY, ServedLabel, Taxonomy, served_logits, served_network  # noqa: E402

NOTHING = np.zeros((0, len(SIGNALS)), dtype=np.float32)


def made_up_dev(rows: int = 400) -> Dev:
    """Rows of three sources whose signals are right, but say so too surely."""
    generator = np.random.default_rng(5)
    truth = generator.random(rows) < 0.4
    logits = np.tile(((truth * 2 - 1) * 2 + generator.normal(0, 2.0, rows)) * 3, (len(SIGNALS), 1)).T
    kinds = {name: 0.0 for name in SIGNALS if name.startswith("kmhas/")}
    sources = ("kmhas", "beep", "curse_detection")
    known = {
        "kmhas": (*kinds, "curse"),
        "beep": ("beep/offensive", "beep/hate"),
        "curse_detection": ("curse_detection/curse", "curse"),
    }
    made = [
        Row(f"{index}", sources[index % 3], "dev", dict.fromkeys(known[sources[index % 3]], float(bad)))
        for index, bad in enumerate(truth)
    ]
    return Dev(made, logits.astype(np.float32))


def test_folding_the_served_labels_into_the_head_changes_no_score() -> None:
    torch.manual_seed(0)
    config = BertConfig(vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    network = CommentNetwork(new_encoder(config), len(SIGNALS)).eval()
    taxonomy = Taxonomy(
        (
            ServedLabel("curse", ("curse", "kmhas/curse"), (0.7, 0.4), -0.3),
            ServedLabel("hate", ("kmhas/hate",), (1.1,)),
        ),
        "clean",
    )
    ids = torch.tensor([[0, 7, 9, 2]])

    with torch.no_grad():
        signals = network(ids, torch.ones_like(ids)).numpy()
        served = served_network(network, taxonomy)(ids, torch.ones_like(ids)).numpy()

    np.testing.assert_allclose(served, served_logits(signals, taxonomy), atol=1e-5)


def test_calibration_makes_sure_scores_as_sure_as_they_are_right() -> None:
    dev = made_up_dev()
    known, truth = dev.truth("beep/offensive")
    column = SIGNAL_INDEX["beep/offensive"]

    weights, bias = fit_logistic(dev.logits[known][:, [column]], truth[known])
    scores = sigmoid(dev.logits[known][:, column] * weights[0] + bias)

    assert 0.0 < weights[0] < 1.0
    assert scores.mean() == pytest.approx(truth[known].mean(), abs=0.01)


def test_a_signal_that_only_hurts_is_left_out() -> None:
    generator = np.random.default_rng(0)
    good = generator.normal(0, 1, 200)
    features = np.stack([good, good + generator.normal(0, 0.1, 200)], axis=1).astype(np.float32)

    weights, _ = fit_logistic(features, good - 0.5 * (features[:, 1] - good) > 0)

    assert (weights >= 0).all()


def test_the_chosen_thresholds_answer_the_questions() -> None:
    dev = made_up_dev()
    taxonomy = calibrate(TOXICITY, dev, NOTHING)
    scores = score_questions(taxonomy, served_logits(dev.logits, taxonomy), dev)
    assert all(counts.f1 > 0.75 for counts in scores.values())


def test_a_threshold_rises_until_everyday_sentences_pass_under_it() -> None:
    dev = made_up_dev()
    loose = calibrate(TOXICITY, dev, NOTHING)
    everyday = np.full((200, len(SIGNALS)), 1.0, dtype=np.float32)

    strict = calibrate(TOXICITY, dev, everyday)

    assert all(one.threshold >= other.threshold for one, other in zip(strict.labels, loose.labels, strict=True))
    insult = strict.names.index("insult")
    assert sigmoid(served_logits(everyday, strict))[0, insult] <= strict.labels[insult].threshold + 1e-3
