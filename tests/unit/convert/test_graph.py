"""The graph that is written answers as the torch model that it was made of."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from transformers.activations import ACT2FN

from convert.bert import BertWeights, QuantisedMatrix
from convert.calibration import Activations
from convert.checkpoint import read_tensors
from convert.graph import layer_name, write_graph
from convert.proofs.rounding import compare
from convert.quantise import dequantise, quantise, quantise_matrix
from convert.state_dict import Architecture, to_weights
from convert.verify import open_session
from tests.support.checkpoints import VARIANTS, bert_classifier, quantised, save

pytestmark = pytest.mark.training

FLOAT_TOLERANCE = 1e-4
FLOAT_VARIANTS = [name for name in VARIANTS if "quantised" not in name and name != "half precision"]


def batch(texts: int = 16, longest: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Random token ids padded on the right, and their mask."""
    random = np.random.default_rng(5)
    lengths = random.integers(3, longest, texts)
    mask = (np.arange(lengths.max()) < lengths[:, None]).astype(np.int64)
    return np.where(mask == 1, random.integers(5, 200, mask.shape), 1), mask


def by_torch(model: Any, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        answer: np.ndarray = model(input_ids=torch.tensor(ids), attention_mask=torch.tensor(mask)).logits.numpy()
    return answer


def by_graph(weights: BertWeights, folder: Path, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
    path = folder / "model.onnx"
    write_graph(weights, path)
    answer: np.ndarray = open_session(path).run(["logits"], {"input_ids": ids, "attention_mask": mask})[0]
    return answer


def answers(path: Path, names: list[str], ids: np.ndarray, mask: np.ndarray) -> list[np.ndarray]:
    model = onnx.load(path)
    model.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names if name != "logits"
    )
    onnx.save(model, path)
    found: list[np.ndarray] = open_session(path).run(names, {"input_ids": ids, "attention_mask": mask})
    return found


@pytest.mark.parametrize("variant", FLOAT_VARIANTS)
def test_every_float_variant_gives_torchs_logits(tmp_path: Path, variant: str) -> None:
    model = bert_classifier()
    weights = to_weights(read_tensors(save(VARIANTS[variant](model), tmp_path / "model.pt")), "model.pt")
    ids, mask = batch()

    logits = by_graph(weights, tmp_path, ids, mask)

    assert logits.std() > 0.05
    np.testing.assert_allclose(logits, by_torch(model, ids, mask), rtol=0, atol=FLOAT_TOLERANCE)


def test_half_precision_gives_the_logits_of_the_rounded_weights(tmp_path: Path) -> None:
    model = bert_classifier()
    weights = to_weights(read_tensors(save(VARIANTS["half precision"](model), tmp_path / "model.pt")), "model.pt")
    ids, mask = batch()

    expected = by_torch(model.half().float(), ids, mask)

    np.testing.assert_allclose(by_graph(weights, tmp_path, ids, mask), expected, rtol=0, atol=FLOAT_TOLERANCE)


@pytest.mark.parametrize("labels", [1, 2, 7, 40])
def test_any_number_of_classes(tmp_path: Path, labels: int) -> None:
    model = bert_classifier(labels)
    ids, mask = batch()
    logits = by_graph(to_weights(model.state_dict(), "model.pt"), tmp_path, ids, mask)
    np.testing.assert_allclose(logits, by_torch(model, ids, mask), rtol=0, atol=FLOAT_TOLERANCE)


@pytest.mark.parametrize(("name", "activation"), [("gelu_new", "gelu_tanh"), ("relu", "relu")])
def test_other_activations(tmp_path: Path, name: str, activation: Any) -> None:
    model = bert_classifier()
    for layer in model.bert.encoder.layer:
        layer.intermediate.intermediate_act_fn = ACT2FN[name]
    ids, mask = batch()
    weights = to_weights(model.state_dict(), "model.pt", Architecture(activation=activation))
    np.testing.assert_allclose(
        by_graph(weights, tmp_path, ids, mask), by_torch(model, ids, mask), rtol=0, atol=FLOAT_TOLERANCE
    )


@pytest.mark.parametrize("per_channel", [False, True])
def test_a_quantised_state_dict_is_nearer_its_own_weights_than_torch_is(tmp_path: Path, per_channel: bool) -> None:
    """torch rounds activations to 7 bits where this graph rounds to 8; the weights are the same int8 ones."""
    model = quantised(bert_classifier(), per_channel=per_channel)
    weights = to_weights(model.state_dict(), "model.pt")
    ids, mask = batch()
    exact = by_graph(dequantise(weights), tmp_path, ids, mask)

    ours = np.abs(by_graph(weights, tmp_path, ids, mask) - exact)
    torchs = np.abs(by_torch(model, ids, mask) - exact)

    assert 0 < ours.max() < 0.1
    assert ours.mean() <= torchs.mean()


@pytest.mark.parametrize("whose_int8", ["ours", "the checkpoint's"])
def test_a_last_layer_that_reads_the_first_token_answers_as_one_that_reads_all(tmp_path: Path, whose_int8: str) -> None:
    model = bert_classifier()
    weights = to_weights((model if whose_int8 == "ours" else quantised(model)).state_dict(), "model.pt")
    ids, mask = batch()
    every, first = tmp_path / "every.onnx", tmp_path / "first.onnx"
    names = write_graph(dequantise(weights), every, every_token=True)
    scales = Activations(every, names, ids.tolist()).scales()

    write_graph(quantise(weights), every, scales=scales, every_token=True)
    write_graph(quantise(weights), first, scales=scales)

    outputs = [f"{layer_name(weights.shape.layers - 1)}.output_norm.out", "logits"]
    of_every, of_first = (answers(path, outputs, ids, mask) for path in (every, first))
    assert [len(of_every[0].shape), len(of_first[0].shape)] == [3, 2]
    np.testing.assert_array_equal(of_first[0], of_every[0][:, 0])
    np.testing.assert_array_equal(of_first[1], of_every[1])


def test_padding_changes_nothing(tmp_path: Path) -> None:
    weights = to_weights(bert_classifier().state_dict(), "model.pt")
    ids, mask = batch(texts=1)
    padded_ids = np.pad(ids, ((0, 0), (0, 9)), constant_values=1)
    padded_mask = np.pad(mask, ((0, 0), (0, 9)))
    np.testing.assert_allclose(
        by_graph(weights, tmp_path, padded_ids, padded_mask), by_graph(weights, tmp_path, ids, mask), rtol=0, atol=1e-5
    )


def test_weights_beside_the_graph_give_the_same_answer(tmp_path: Path) -> None:
    weights = to_weights(bert_classifier().state_dict(), "model.pt")
    ids, mask = batch()
    inside = by_graph(weights, tmp_path, ids, mask)
    write_graph(weights, tmp_path / "outside.onnx", external_weights=True)

    outside = open_session(tmp_path / "outside.onnx").run(["logits"], {"input_ids": ids, "attention_mask": mask})[0]

    np.testing.assert_array_equal(inside, outside)


def test_rounding_to_int8_is_off_by_half_a_step_at_most() -> None:
    matrix = np.random.default_rng(1).normal(size=(30, 20)).astype(np.float32)
    matrix[3] = 0
    rounded = quantise_matrix(matrix)
    assert rounded.scale.shape == (30,)
    assert (np.abs(rounded.to_float() - matrix) <= rounded.scale.reshape(-1, 1) * 0.5001).all()


@pytest.mark.parametrize("scale", [0.02, 5.0])
@pytest.mark.parametrize("columns", [64, 65, 67])
def test_no_sum_of_two_products_saturates_on_a_processor_without_vnni(scale: float, columns: int) -> None:
    """Such a processor adds the products of neighbours in 16 bits; the largest activation is 255."""
    random = np.random.default_rng(1)
    matrix = (scale * random.standard_t(3, size=(200, columns))).astype(np.float32)
    matrix[5] = 1.0  # every weight the largest of its row
    values = quantise_matrix(matrix).values
    for first in range(4):
        for second in range(first):
            width = columns // 4 * 4
            pairs = values[:, :width].reshape(200, -1, 4)[..., [first, second]].astype(np.int32)
            assert int(np.abs(pairs.sum(axis=2)).max()) * 255 <= 32_767
    seven_bits = np.abs(matrix).max(axis=1) / 63
    assert quantise_matrix(matrix).scale.mean() < 0.85 * seven_bits.mean()


def test_what_rounding_costs_can_be_shown(tmp_path: Path) -> None:
    told = compare(save(bert_classifier().state_dict(), tmp_path / "model.pt"))
    assert re.fullmatch(
        r"rounding error as against 8 bits: 7 bits [12]\.\d\d, here 1\.\d\d; of the pairs .* cut off", told
    )


def test_quantising_twice_is_quantising_once(tmp_path: Path) -> None:
    once = quantise(to_weights(bert_classifier().state_dict(), "model.pt"))
    twice = quantise(once)
    first, second = once.layers[0].query.weight, twice.layers[0].query.weight
    assert isinstance(first, QuantisedMatrix)
    assert first is second
    assert once.word_embeddings is twice.word_embeddings
