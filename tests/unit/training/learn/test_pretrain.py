"""Further pre-training: guessing pieces from their neighbours is learnt, and an interruption changes nothing."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the training extra is not installed")

import numpy as np  # noqa: E402  after the skip
from transformers import BertConfig  # noqa: E402

from training.data.batches import TrainingSet, pad  # noqa: E402
from training.learn.fit import Fit, FitPlan  # noqa: E402
from training.learn.network import new_encoder  # noqa: E402
from training.learn.pretrain import MaskedLanguage, mean_loss  # noqa: E402

PLAN = FitPlan(epochs=40, learning_rate=1e-2, tokens_per_batch=256, device="cpu")


def language() -> MaskedLanguage:
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, pad_token_id=1
    )
    return MaskedLanguage(new_encoder(config), seed=5)


def repeated_pieces(_epoch: int, generator: np.random.Generator) -> TrainingSet:
    """Texts of one piece, again and again: what is left out is what stands beside it."""
    ids = [[0, *[int(piece)] * 8, 2] for piece in generator.integers(4, 50, 200)]
    return TrainingSet(ids, np.zeros((len(ids), 0), dtype=np.float32))


def fitted(folder: Path, plan: FitPlan = PLAN) -> Fit[MaskedLanguage]:
    fit = Fit(language(), plan, folder, pad_id=1)
    fit.loss = mean_loss
    return fit


def test_it_learns_to_guess_a_piece_from_its_neighbours(tmp_path: Path) -> None:
    unseen = pad(repeated_pieces(0, np.random.default_rng(99)).ids, 1)
    before = language()(*unseen).mean().item()
    after = fitted(tmp_path).run(repeated_pieces)(*unseen).mean().item()
    assert after < 0.5 * before


def test_neither_padding_nor_special_pieces_are_asked_for() -> None:
    ids, mask = pad([[0, 7, 2], [0, *[9] * 30, 2]], 1)
    network = language()
    asked, hidden, swapped = network._draw(ids)
    assert asked.any()
    assert not asked[(ids < 4) | (mask == 0)].any()
    assert not (hidden & swapped).any()
    assert not ((hidden | swapped) & ~asked).any()


def test_an_interrupted_run_leaves_out_the_same_pieces(tmp_path: Path) -> None:
    plan = FitPlan(epochs=2, learning_rate=1e-2, tokens_per_batch=256, checkpoint_every_s=0.0, device="cpu")

    def stop_half_way(step: int, steps: int, _loss: float) -> None:
        if step > 0.6 * steps:
            raise KeyboardInterrupt

    whole = fitted(tmp_path / "whole", plan).run(repeated_pieces)
    with pytest.raises(KeyboardInterrupt):
        fitted(tmp_path / "cut", plan).run(repeated_pieces, stop_half_way)
    resumed = fitted(tmp_path / "cut", plan).run(repeated_pieces)
    assert torch.allclose(whole.blank, resumed.blank, atol=1e-6)
    assert int(whole.passes) == int(resumed.passes)
