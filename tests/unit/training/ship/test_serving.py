"""The served labels out of the network's signals."""

import pytest

torch = pytest.importorskip("torch", reason="the training extra is not installed")

from transformers import BertConfig  # noqa: E402  after the skip

from training.data.signals import ACCUSING, SERVED, SIGNAL_INDEX, SIGNALS  # noqa: E402
from training.learn.network import CommentNetwork, new_encoder  # noqa: E402
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


def test_what_is_served_is_the_verdicts_labels_and_no_sources_own_standard() -> None:
    assert TOXICITY.names == list(SERVED)
    assert "kosbi/unsafe" not in TOXICITY.names
    assert [TOXICITY.names[at] for at in TOXICITY.accusing] == list(ACCUSING)
    assert set(TOXICITY.sub_labels["hate"]) == {name for name in SERVED if name.startswith("hate/")}


def test_sentiment_is_a_choice_between_three() -> None:
    config = config_of(SENTIMENT, "kobert-sentiment", 64, 1)
    assert config.problem_type == "single_label_classification"
    assert config.labels == ["negative", "neutral", "positive"]
    assert (config.clean_label, config.strictness, config.calibration) == (None, {}, {})
