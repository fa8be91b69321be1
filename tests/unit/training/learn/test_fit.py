"""The training loop: what is unknown teaches nothing, and an interrupted run goes on as if it had not been."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the training extra is not installed")

import numpy as np  # noqa: E402  after the skip
from transformers import BertConfig  # noqa: E402

from training.data.batches import TrainingSet  # noqa: E402
from training.learn.fit import Fit, FitPlan, balanced_class_loss, class_loss, masked_loss  # noqa: E402
from training.learn.network import CommentNetwork, new_encoder  # noqa: E402

PLAN = FitPlan(epochs=2, learning_rate=1e-3, tokens_per_batch=64, checkpoint_every_s=0.0, device="cpu")


def tiny_network() -> CommentNetwork:
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, pad_token_id=1
    )
    return CommentNetwork(new_encoder(config), 2)


def rows(_epoch: int, generator: np.random.Generator) -> TrainingSet:
    ids = [[0, *generator.integers(5, 50, 6).tolist(), 2] for _ in range(40)]
    targets = np.array([[float(row[1] > 25), np.nan] for row in ids], dtype=np.float32)
    return TrainingSet(ids, targets)


def test_an_unknown_target_gives_no_loss_and_no_gradient() -> None:
    logits = torch.zeros(1, 2, requires_grad=True)
    masked_loss(logits, torch.tensor([[1.0, float("nan")]])).backward()
    assert logits.grad is not None
    assert logits.grad[0, 1] == 0.0
    assert logits.grad[0, 0] != 0.0


def test_balanced_classes_weigh_the_same_together() -> None:
    logits = torch.zeros(10, 2)
    targets = torch.eye(2)[[0] * 9 + [1]]
    balanced = balanced_class_loss([9, 1])
    assert balanced(logits, targets).item() == pytest.approx(class_loss(logits, targets).item())
    of_common, of_rare = balanced(logits[:9], targets[:9]) * 9, balanced(logits[9:], targets[9:])
    assert of_common.item() == pytest.approx(of_rare.item())


def test_a_signal_that_no_row_knows_keeps_its_head_weights(tmp_path: Path) -> None:
    network = tiny_network()
    before = network.head.bias[1].item()
    Fit(network, PLAN, tmp_path, pad_id=1).run(rows)
    assert network.head.bias[1].item() == before


def test_an_interrupted_run_ends_with_the_same_weights(tmp_path: Path) -> None:
    whole = Fit(tiny_network(), PLAN, tmp_path / "whole", pad_id=1).run(rows)

    def stop_in_the_second_epoch(step: int, steps: int, _loss: float) -> None:
        if step > 0.7 * steps:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Fit(tiny_network(), PLAN, tmp_path / "cut", pad_id=1).run(rows, stop_in_the_second_epoch)
    resumed = Fit(tiny_network(), PLAN, tmp_path / "cut", pad_id=1).run(rows)

    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_it_learns_what_a_token_tells(tmp_path: Path) -> None:
    losses: list[float] = []
    always_the_same = rows(0, np.random.default_rng(0))
    plan = FitPlan(epochs=40, learning_rate=1e-2, tokens_per_batch=128, device="cpu")
    fit = Fit(tiny_network(), plan, tmp_path, pad_id=1)
    fit.run(lambda _epoch, _generator: always_the_same, lambda _step, _steps, loss: losses.append(loss))
    assert losses[-1] < 0.5 * losses[0]
