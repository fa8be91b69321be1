"""The served labels out of the network's signals."""

import pytest

torch = pytest.importorskip("torch", reason="the training extra is not installed")

from transformers import BertConfig  # noqa: E402  after the skip

from bundles.windows import Windows  # noqa: E402
from training.data.signals import ACCUSING, OFFENSIVE, SERVED, SIGNAL_INDEX, SIGNALS  # noqa: E402
from training.learn.network import FOLD, CommentNetwork, folded, new_encoder  # noqa: E402
from training.learn.wide import Wide  # noqa: E402
from training.ship.bundle import config_of  # noqa: E402
from training.ship.serving import SENTIMENT, TOXICITY, served_network  # noqa: E402


@pytest.mark.parametrize("window_tokens", [0, 20])
def test_a_served_logit_is_its_signals_own(window_tokens: int) -> None:
    torch.manual_seed(0)
    config = BertConfig(vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    network = CommentNetwork(new_encoder(config), len(SIGNALS), window_tokens).eval()
    ids = torch.randint(5, 40, (3, 30))
    with torch.no_grad():
        signals = network(ids, torch.ones_like(ids))
        served = served_network(network, TOXICITY)(ids, torch.ones_like(ids))

    assert torch.allclose(served, signals[:, [SIGNAL_INDEX[name] for name in SERVED]], atol=1e-6)


def test_low_logits_of_insult_are_ordered_by_the_strictest_standard_and_nothing_else_moves() -> None:
    generator = torch.Generator().manual_seed(2)
    logits = 3 * torch.randn(300, len(SERVED) + 1, generator=generator)
    at = SERVED.index("insult")

    served = folded(logits)

    others = [place for place in range(len(SERVED)) if place != at]
    assert torch.equal(served[:, others], logits[:, others])
    high = logits[:, at] >= FOLD
    assert 0 < high.sum() < 300
    assert torch.equal(served[high, at], logits[high, at])
    assert (served[~high, at] <= FOLD).all()
    strictest = logits[:, -1] + 0.3 * logits[:, : len(ACCUSING)].max(1).values
    below = ~high & (strictest < 3.0)
    assert torch.equal(served[below, at].argsort(), strictest[below].argsort())


def test_a_wide_part_that_knows_the_strictest_standard_folds_it_in() -> None:
    torch.manual_seed(0)
    config = BertConfig(vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    wide = Wide(100, 40, 1, len(SIGNALS))
    wide.table.fill_(1)
    wide.spread[0, SIGNAL_INDEX[OFFENSIVE]] = 0.5
    network = CommentNetwork(new_encoder(config), len(SIGNALS), 20, wide).eval()
    with torch.no_grad():
        network.head.bias.fill_(-5.0)
    served = served_network(network, TOXICITY)
    ids = torch.randint(5, 40, (3, 9))

    with torch.no_grad():
        logits = served(ids, torch.ones_like(ids))
        signals = network(ids, torch.ones_like(ids))

    assert served.folds
    assert logits.shape == (3, len(SERVED))
    kept = [place for place, name in enumerate(SERVED) if name != "insult"]
    assert torch.allclose(logits[:, kept], signals[:, [SIGNAL_INDEX[SERVED[at]] for at in kept]], atol=1e-6)
    # Nine tokens and eight pairs of .5 over the root of nine; the encoder has no word of its own in this.
    expected = FOLD - 3.0 + 8.5 / 3 + 0.3 * signals[:, : len(ACCUSING)].max(1).values
    assert torch.allclose(logits[:, SERVED.index("insult")], expected, atol=1e-4)


def test_what_is_served_is_the_verdicts_labels_and_no_sources_own_standard() -> None:
    assert TOXICITY.names == list(SERVED)
    assert "kosbi/unsafe" not in TOXICITY.names
    assert [TOXICITY.names[at] for at in TOXICITY.accusing] == list(ACCUSING)
    assert set(TOXICITY.sub_labels["hate"]) == {name for name in SERVED if name.startswith("hate/")}


def test_sentiment_is_a_choice_between_three() -> None:
    config = config_of(SENTIMENT, "kobert-sentiment", Windows(64), 1)
    assert config.problem_type == "single_label_classification"
    assert config.labels == ["negative", "neutral", "positive"]
    assert (config.clean_label, config.strictness, config.calibration) == (None, {}, {})
