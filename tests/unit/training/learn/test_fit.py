"""The training loop: what is unknown teaches nothing, and an interrupted run goes on as if it had not been."""

from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the training extra is not installed")

import numpy as np  # noqa: E402  after the skip
from transformers import BertConfig  # noqa: E402

from training.data.batches import TrainingSet  # noqa: E402
from training.learn.fit import Fit, FitPlan, balanced_class_loss, balanced_label_loss, class_loss, masked_loss  # noqa: E402
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


def test_of_several_labels_each_one_that_is_rare_weighs_as_much_as_its_absence_up_to_a_bound() -> None:
    # In 40 rows: half, a tenth, 1 row, none; and one label that is known of 4 rows alone.
    have = [20, 4, 1, 0]
    targets = torch.tensor([[float(row < count) for count in have] for row in range(40)])
    known = torch.full((40, 1), float("nan"))
    known[:4, 0] = torch.tensor([1.0, 0.0, 0.0, 0.0])
    targets = torch.cat([targets, known], dim=1)
    balanced = balanced_label_loss(targets.tolist())
    logits = torch.zeros_like(targets, requires_grad=True)
    balanced(logits, targets).backward()
    assert logits.grad is not None
    pushed = -logits.grad * 40 / 0.5

    weights = [float(pushed[0, at]) for at in range(5)]
    assert weights == pytest.approx([1.0, 9.0, 10.0, -1.0, 3.0])  # -1: pushed down, as a label that no text has
    assert float(pushed[10:, 4].abs().sum()) == 0.0


def test_training_with_weights_finds_a_rare_label_that_training_without_misses(tmp_path: Path) -> None:
    """Half of the texts have the first label; the word 7 means the second, in 1 text of 12, and 3 of 4 times."""

    def table(_epoch: int, generator: np.random.Generator) -> TrainingSet:
        ids = [[0, *generator.integers(10, 50, 5).tolist(), 2] for _ in range(192)]
        targets = np.array([[float(row[1] > 29), 0.0] for row in ids], dtype=np.float32)
        for at in range(0, 192, 12):
            ids[at][3], targets[at, 1] = 7, float(at % 48 > 0)
        return TrainingSet(ids, targets)

    balanced = balanced_label_loss(table(0, np.random.default_rng(0)).targets.tolist())
    plan = replace(PLAN, epochs=9, head_learning_rate=1e-2, tokens_per_batch=168, checkpoint_every_s=60.0)
    found: dict[str, float] = {}
    for name, loss, word in (("plain", masked_loss, 7), ("balanced", balanced, 7), ("without the word", balanced, 9)):
        fit = Fit(tiny_network(), plan, tmp_path / name, pad_id=1)
        fit.loss = loss
        network = fit.run(table)
        texts = torch.tensor([[0, first, 20, word, 30, 40, 2] for first in range(10, 50)])
        with torch.no_grad():
            found[name] = (network(texts, torch.ones_like(texts))[:, 1] > 0).float().mean().item()
    assert found["balanced"] > 0.75
    assert found["plain"] < 0.5
    assert found["without the word"] < 0.1


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
