"""A state dict becomes a classifier only if every key of it is accounted for."""

from typing import Any

import pytest
import torch
import transformers

from convert.bert import QuantisedMatrix
from convert.state_dict import Architecture, to_weights
from shared.errors import ModelSourceError
from tests.support.checkpoints import BERTClassifier, bert_classifier, quantised

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def state() -> dict[str, Any]:
    return dict(bert_classifier().state_dict())


def without(state: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: tensor for name, tensor in state.items() if name not in names}


def test_sizes_follow_from_the_tensors(state: dict[str, Any]) -> None:
    shape = to_weights(state, "model.pt").shape
    assert (shape.layers, shape.hidden, shape.feed_forward, shape.heads) == (2, 64, 256, 1)
    assert (shape.vocabulary, shape.positions, shape.labels) == (200, 512, 3)


def test_heads_come_from_the_config_where_there_is_one(state: dict[str, Any]) -> None:
    assert to_weights(state, "model.pt", Architecture(heads=4)).shape.heads == 4


def test_missing_and_unexpected_keys_are_listed(state: dict[str, Any]) -> None:
    broken = without(state, "bert.pooler.dense.bias", "bert.encoder.layer.1.output.dense.weight")
    broken["bert.encoder.layer.1.adapter.weight"] = torch.zeros(2)

    with pytest.raises(ModelSourceError) as refusal:
        to_weights(broken, "model.pt")

    assert refusal.value.message == (
        "model.pt does not fit a BERT classifier: "
        "2 missing: bert.encoder.layer.1.output.dense.weight, bert.pooler.dense.bias; "
        "1 unexpected: bert.encoder.layer.1.adapter.weight"
    )


def test_a_tensor_of_the_wrong_shape_is_named(state: dict[str, Any]) -> None:
    broken = {**state, "bert.pooler.dense.weight": torch.zeros(64, 32)}
    with pytest.raises(ModelSourceError, match=r"bert\.pooler\.dense\.weight \(64, 32\) instead of \(64, 64\)"):
        to_weights(broken, "model.pt")


def test_a_gpt2_checkpoint_is_told_from_a_bert() -> None:
    config = transformers.GPT2Config(n_layer=1, n_embd=64, n_head=1, vocab_size=100)
    state = transformers.GPT2LMHeadModel(config).state_dict()
    with pytest.raises(ModelSourceError, match=r"model\.pt is not a BERT classifier.*transformer\.wte\.weight"):
        to_weights(state, "model.pt")


def test_a_bert_without_a_classifier_is_told_apart(state: dict[str, Any]) -> None:
    with pytest.raises(ModelSourceError, match=r"no classifier\.weight: it has nothing outside bert"):
        to_weights(without(state, "classifier.weight", "classifier.bias"), "model.pt")


def test_a_classifier_of_another_name_is_named(state: dict[str, Any]) -> None:
    renamed = {name.replace("classifier.", "fc."): tensor for name, tensor in state.items()}
    with pytest.raises(ModelSourceError, match=r"outside bert\.\* it has fc\.weight, fc\.bias"):
        to_weights(renamed, "model.pt")


def test_a_checkpoint_of_a_training_that_diverged_is_refused(state: dict[str, Any]) -> None:
    broken = {**state, "classifier.bias": torch.tensor([0.0, float("nan"), 1.0])}
    with pytest.raises(ModelSourceError, match=r"classifier\.bias holds values that are not finite"):
        to_weights(broken, "model.pt")


@pytest.mark.parametrize("per_channel", [False, True])
def test_quantised_layers_keep_their_int8_weights_and_scales(per_channel: bool) -> None:
    saved = quantised(BERTClassifier(bert_classifier()), per_channel=per_channel).state_dict()
    packed, bias = saved["bert.encoder.layer.1.attention.self.key._packed_params._packed_params"]

    key = to_weights(saved, "model.pt").layers[1].key

    assert isinstance(key.weight, QuantisedMatrix)
    assert (key.weight.values == packed.int_repr().numpy()).all()
    assert key.weight.scale.size == (64 if per_channel else 1)
    assert torch.allclose(torch.from_numpy(key.weight.to_float()), packed.dequantize(), rtol=1e-6, atol=0)
    assert (key.bias == bias.detach().numpy()).all()
