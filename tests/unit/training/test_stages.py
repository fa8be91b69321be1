"""Students: the first layers of their teacher to start from, the mean of their weights to end with."""

import pytest

torch = pytest.importorskip("torch", reason="the training extra is not installed")

from transformers import BertConfig  # noqa: E402  after the skip

from training.learn.network import CommentNetwork, new_encoder  # noqa: E402
from training.stages import averaged, first_layers  # noqa: E402


def network(seed: int) -> CommentNetwork:
    torch.manual_seed(seed)
    config = BertConfig(vocab_size=50, hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32)
    return CommentNetwork(new_encoder(config), 3).eval()


def test_an_average_has_the_mean_of_each_weight_and_leaves_its_parts_alone() -> None:
    parts = [network(seed) for seed in (1, 2, 3)]
    before = [part.head.weight.detach().clone() for part in parts]

    mean = averaged(parts)

    for name, value in mean.state_dict().items():
        assert torch.allclose(value, sum(part.state_dict()[name] for part in parts) / 3, atol=1e-6)
    assert all(torch.equal(part.head.weight, weight) for part, weight in zip(parts, before, strict=True))


def test_students_of_one_teacher_start_alike_so_that_their_average_is_one_of_them() -> None:
    teacher = network(4)
    start = averaged([first_layers(teacher, 2), first_layers(teacher, 2)])

    assert start.encoder.config.num_hidden_layers == 2
    weight = "encoder.layer.1.attention.self.query.weight"
    assert torch.equal(start.encoder.state_dict()[weight], teacher.encoder.state_dict()[weight])
    assert torch.equal(start.head.weight, teacher.head.weight)
