"""The pooling by worst stretch, and the network around it."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the training extra is not installed")

from hypothesis import given  # noqa: E402  after the skip
from hypothesis import strategies as st  # noqa: E402
from transformers import BertConfig  # noqa: E402

from training.learn.network import (  # noqa: E402
    CommentNetwork,
    keep_layers,
    load_network,
    new_encoder,
    save_network,
    worst_stretch,
)

WINDOW = 5


def network(window_tokens: int = WINDOW) -> CommentNetwork:
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, pad_token_id=1
    )
    return CommentNetwork(new_encoder(config), 3, window_tokens).eval()


def pooled(values: list[float], window: int = WINDOW, padding: int = 0) -> float:
    """The pooled value of one text with one output, and `padding` masked tokens of a high value behind it."""
    tokens = torch.tensor([*values, *[9.0] * padding]).reshape(1, -1, 1)
    mask = torch.tensor([1.0] * len(values) + [0.0] * padding).reshape(1, -1)
    return float(worst_stretch(tokens, mask, window))


@pytest.mark.parametrize(("before", "after"), [(0, 1), (1, 0), (3, 4), (40, 0), (0, 40), (30, 70)])
def test_a_bad_stretch_counts_the_same_alone_and_among_others(before: int, after: int) -> None:
    stretch = [2.0, 0.5, 3.0, 1.0, 2.5]
    assert pooled(stretch) == pytest.approx(1.8)
    assert pooled([-4.0] * before + stretch + [-4.0] * after) == pytest.approx(1.8, abs=1e-4)


def test_the_mean_would_have_diluted_it() -> None:
    assert pooled([-4.0] * 30 + [2.0] * WINDOW, window=35) < 0 < pooled([-4.0] * 30 + [2.0] * WINDOW)


@pytest.mark.parametrize("length", [1, 2, WINDOW])
def test_a_text_as_short_as_the_window_gives_its_mean(length: int) -> None:
    values = [float(value) for value in range(-1, length - 1)]
    assert pooled(values) == pytest.approx(sum(values) / length)


@given(st.lists(st.floats(-20, 20, width=32), min_size=1, max_size=24), st.integers(1, 8), st.integers(0, 9))
def test_it_is_the_highest_mean_of_any_stretch_whatever_the_padding(
    values: list[float], window: int, padding: int
) -> None:
    width = min(window, len(values))
    means = [sum(values[at : at + width]) / width for at in range(len(values) - width + 1)]
    assert pooled(values, window, padding) == pytest.approx(max(means), abs=1e-3)


def test_each_output_takes_its_own_worst_stretch() -> None:
    tokens = torch.zeros(1, 12, 2)
    tokens[0, :3, 0] = 1.0
    tokens[0, -3:, 1] = 2.0
    assert worst_stretch(tokens, torch.ones(1, 12), 3).tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize("window_tokens", [0, WINDOW])
def test_padding_and_neighbours_change_no_logit(window_tokens: int) -> None:
    whole = network(window_tokens)
    short, long = torch.randint(5, 50, (1, 4)), torch.randint(5, 50, (1, 17))
    ids = torch.ones(2, 17, dtype=torch.long)
    ids[0, :4], ids[1] = short[0], long[0]
    with torch.no_grad():
        together = whole(ids, (torch.arange(17) < torch.tensor([[4], [17]])).long())
        alone = torch.cat([whole(row, torch.ones_like(row)) for row in (short, long)])
    assert torch.allclose(together, alone, atol=1e-5)


def test_a_text_within_the_window_is_pooled_as_without_one() -> None:
    windowed = network(WINDOW)
    plain = CommentNetwork(windowed.encoder, 3)
    plain.head.load_state_dict(windowed.head.state_dict())
    ids = torch.randint(5, 50, (3, WINDOW))
    longer = torch.randint(5, 50, (3, 4 * WINDOW))
    with torch.no_grad():
        for rows, is_same in ((ids, True), (longer, False)):
            both = [one(rows, torch.ones_like(rows)) for one in (windowed, plain)]
            assert torch.allclose(*both, atol=1e-5) == is_same


@pytest.mark.parametrize("window_tokens", [0, WINDOW])
def test_a_saved_network_comes_back_with_its_window(tmp_path: Path, window_tokens: int) -> None:
    before = network(window_tokens)
    save_network(before, tmp_path)
    again = load_network(tmp_path)
    ids = torch.randint(5, 50, (2, 20))

    assert again.window_tokens == window_tokens
    with torch.no_grad():
        assert torch.equal(again(ids, torch.ones_like(ids)), before(ids, torch.ones_like(ids)))


def test_a_smaller_encoder_has_the_chosen_layers_and_no_part_of_the_larger_one() -> None:
    encoder = network().encoder
    smaller = keep_layers(encoder, [1])
    weight = "attention.self.query.weight"

    assert smaller.config.num_hidden_layers == len(smaller.encoder.layer) == 1
    assert torch.equal(
        smaller.state_dict()[f"encoder.layer.0.{weight}"], encoder.state_dict()[f"encoder.layer.1.{weight}"]
    )
    smaller.state_dict()[f"encoder.layer.0.{weight}"].zero_()
    assert encoder.state_dict()[f"encoder.layer.1.{weight}"].abs().sum() > 0
