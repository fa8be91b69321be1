"""Distillation: whose word a target is, and that the features are what the head reads."""

import pytest

torch = pytest.importorskip("torch", reason="the training extra is not installed")

import numpy as np  # noqa: E402  after the skip
from transformers import BertConfig  # noqa: E402

from training.data.signals import SIGNAL_INDEX, SIGNALS  # noqa: E402
from training.learn.distil import (  # noqa: E402
    TEACHER_SHARE,
    WithFeatures,
    blend_curse,
    distillation_loss,
    feature_network,
    logits_of_features,
    soft_targets,
)
from training.learn.network import CommentNetwork, new_encoder  # noqa: E402

UNKNOWN = float("nan")


def test_a_known_label_and_the_teacher_share_the_target() -> None:
    targets = soft_targets(np.array([[1.0, UNKNOWN]], np.float32), np.zeros((1, 2), np.float32))
    assert targets[0] == pytest.approx([TEACHER_SHARE * 0.5 + (1 - TEACHER_SHARE), 0.5])


def test_a_certain_label_stands_and_what_it_leaves_open_is_the_teachers() -> None:
    labels = np.array([[0.0, UNKNOWN]], np.float32)
    targets = soft_targets(labels, np.full((1, 2), 3.0, np.float32), certain=np.ones(1, np.float32))
    assert targets[0] == pytest.approx([0.0, 1 / (1 + np.exp(-3.0))])


def network() -> CommentNetwork:
    torch.manual_seed(2)
    config = BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, pad_token_id=1
    )
    return CommentNetwork(new_encoder(config), 3).eval()


def test_features_and_head_give_the_networks_logits() -> None:
    whole = network()
    ids, mask = torch.randint(5, 50, (4, 7)), torch.ones(4, 7, dtype=torch.long)
    with torch.no_grad():
        expected = whole(ids, mask)
        features = feature_network(whole)(ids, mask)
        both = WithFeatures(whole)(ids, mask)
    assert np.allclose(logits_of_features(whole, features.numpy()), expected.numpy(), atol=1e-5)
    assert torch.allclose(both, torch.cat([expected, features], dim=1), atol=1e-6)


def test_a_student_like_its_teacher_has_no_feature_loss() -> None:
    loss = distillation_loss(1, torch.ones(2))
    outputs = torch.tensor([[0.0, 0.3, -2.0]])
    same = loss(outputs, torch.tensor([[UNKNOWN, 0.3, -2.0]]))
    other = loss(outputs, torch.tensor([[UNKNOWN, 1.3, -2.0]]))
    assert same == 0.0
    assert other == pytest.approx(0.5)


def test_curse_follows_the_standard_of_the_kind_of_text() -> None:
    generator = np.random.default_rng(4)
    sources = ["kmhas"] * 200 + ["curse_detection"] * 200 + ["nsmc"] * 2
    like_community = np.array([0.0] * 200 + [1.0] * 200 + [0.0, 1.0], np.float32)
    features = np.stack([like_community, generator.normal(size=402)], axis=1).astype(np.float32)
    logits = np.zeros((402, len(SIGNALS)), np.float32)
    logits[:, SIGNAL_INDEX["kmhas/curse"]] = -3.0
    logits[:, SIGNAL_INDEX["curse_detection/curse"]] = 3.0

    curse = blend_curse(logits, features, sources)[:, SIGNAL_INDEX["curse"]]

    assert curse[:200].max() < -1.5
    assert curse[200:400].min() > 1.5
    assert curse[400] < -1.5 < 1.5 < curse[401]
