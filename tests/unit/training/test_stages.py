"""The student that ships: the mean of the weights of several."""

import pytest

torch = pytest.importorskip("torch", reason="the training extra is not installed")

from transformers import BertConfig  # noqa: E402  after the skip

from training.learn.network import CommentNetwork, new_encoder  # noqa: E402
from training.stages import averaged  # noqa: E402


def network(seed: int) -> CommentNetwork:
    torch.manual_seed(seed)
    config = BertConfig(vocab_size=50, hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32)
    return CommentNetwork(new_encoder(config), 3, 20).eval()


def test_an_average_has_the_mean_of_each_weight_and_leaves_its_parts_alone() -> None:
    parts = [network(seed) for seed in (1, 2, 3)]
    before = [part.head.weight.detach().clone() for part in parts]

    mean = averaged(parts, [1.0, 0.0, 3.0])

    first, _, last = (part.state_dict() for part in parts)
    for name, value in mean.state_dict().items():
        assert torch.allclose(value, 0.25 * first[name] + 0.75 * last[name], atol=1e-6)
    assert mean.window_tokens == parts[0].window_tokens
    assert all(torch.equal(part.head.weight, weight) for part, weight in zip(parts, before, strict=True))
