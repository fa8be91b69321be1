"""The head's second fit: it reads the features better than before, and spares what it is told to spare."""

import pytest

torch = pytest.importorskip("torch", reason="the training extra is not installed")

import numpy as np  # noqa: E402  after the skip
from transformers import BertConfig  # noqa: E402

from training.data.batches import Floats  # noqa: E402
from training.learn.head import HeadLessons, refit_head  # noqa: E402
from training.learn.metrics import sigmoid  # noqa: E402
from training.learn.network import CommentNetwork, new_encoder  # noqa: E402
from training.learn.predict import logits_of_ids  # noqa: E402

PAD_ID = 1
BAD, DOUBTFUL = 7, 8
BOTH = (0, 1)


def network() -> CommentNetwork:
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, pad_token_id=1
    )
    return CommentNetwork(new_encoder(config), 2).eval()


def texts(*extra: int, count: int = 200) -> list[list[int]]:
    generator = np.random.default_rng(len(extra))
    return [[0, *map(int, generator.integers(10, 50, 6)), *extra, 2] for _ in range(count)]


def scores(fitted: CommentNetwork, ids: list[list[int]]) -> Floats:
    return sigmoid(logits_of_ids(fitted, ids, PAD_ID))


def lessons(*, harmless_weight: float) -> HeadLessons:
    """Texts with the bad piece are bad; those with the doubtful one are so in three cases of four, else harmless."""
    ids = [*texts(), *texts(BAD), *texts(DOUBTFUL)]
    bad = np.array([0.0] * 200 + [1.0] * 200 + [1.0, 1.0, 1.0, 0.0] * 50, dtype=np.float32)
    harmless = np.arange(len(ids)) >= 400
    weights = np.where(harmless & (bad == 0), harmless_weight, 1.0).astype(np.float32)
    return HeadLessons(ids, np.stack([bad, 1 - bad], axis=1), np.stack([weights, weights], axis=1))


def test_each_output_learns_its_own_target() -> None:
    fitted = network()
    refit_head(fitted, BOTH, lessons(harmless_weight=1.0), PAD_ID)
    clean, bad = scores(fitted, texts(count=50)), scores(fitted, texts(BAD, count=50))
    assert clean[:, 0].mean() < 0.2
    assert bad[:, 0].mean() > 0.8
    assert clean[:, 1].mean() > 0.8
    assert bad[:, 1].mean() < 0.2


def test_the_encoder_and_the_other_outputs_are_left_as_they_were() -> None:
    fitted, before = network(), network()
    both = lessons(harmless_weight=1.0)
    refit_head(fitted, [1], HeadLessons(both.ids, both.targets[:, [1]], both.weights[:, [1]]), PAD_ID)
    assert torch.equal(fitted.head.weight[0], before.head.weight[0])
    assert not torch.equal(fitted.head.weight[1], before.head.weight[1])
    for name, value in before.encoder.state_dict().items():
        assert torch.equal(fitted.encoder.state_dict()[name], value)


def test_what_counts_for_more_is_spared_and_the_rest_is_not() -> None:
    even, sparing = network(), network()
    refit_head(even, BOTH, lessons(harmless_weight=1.0), PAD_ID)
    refit_head(sparing, BOTH, lessons(harmless_weight=8.0), PAD_ID)
    doubtful, bad = texts(DOUBTFUL, count=50), texts(BAD, count=50)
    assert scores(even, doubtful)[:, 0].mean() > 0.5 > scores(sparing, doubtful)[:, 0].mean()
    assert scores(sparing, bad)[:, 0].mean() > 0.6
