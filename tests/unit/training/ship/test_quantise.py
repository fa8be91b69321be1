"""Int8 graphs: scales that fit the values, scores that do not hang on a text's neighbours, and a way back to floats."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import pytest

torch = pytest.importorskip("torch", reason="the training extra is not installed")

import numpy as np  # noqa: E402  after the skip
import onnx  # noqa: E402
import onnxruntime  # noqa: E402
from transformers import BertConfig  # noqa: E402

from bundles.activations import best_scale  # noqa: E402
from bundles.format import Bundle  # noqa: E402
from bundles.outliers import FACTORS  # noqa: E402
from bundles.session import session_options  # noqa: E402
from training.data.batches import pad  # noqa: E402
from training.learn.embedded import encoder_of_bundle  # noqa: E402
from training.learn.network import CommentNetwork, new_encoder  # noqa: E402
from training.ship import feed_forward  # noqa: E402
from training.ship.export import export_float  # noqa: E402
from training.ship.quantise import calibration_feeds, quantise  # noqa: E402

PAD = 1


class Graphs(NamedTuple):
    float32: Path
    int8: Path
    ids: list[list[int]]
    network: CommentNetwork


@pytest.fixture(scope="module", params=[0, 20], ids=["mean", "worst-stretch"])
def graphs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Graphs:
    folder = tmp_path_factory.mktemp("graphs")
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=120,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        pad_token_id=PAD,
    )
    generator = np.random.default_rng(3)
    ids = [generator.integers(5, 120, size).tolist() for size in generator.integers(3, 60, 200)]
    network = CommentNetwork(new_encoder(config), 3, request.param).eval()
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.1)  # a bias of zeros would be optimised away
    export_float(network, folder / "float.onnx", max_length=64)
    quantise(folder / "float.onnx", folder / "int8.onnx", calibration_feeds(ids, PAD))
    return Graphs(folder / "float.onnx", folder / "int8.onnx", ids, network)


def logits(path: Path, ids: list[list[int]]) -> np.ndarray:
    rows, mask = pad(ids, PAD)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"input_ids": rows.numpy(), "attention_mask": mask.numpy()})[0]


def test_a_texts_score_is_the_same_alone_and_among_others(graphs: Graphs) -> None:
    together = logits(graphs.int8, graphs.ids[:16])
    alone = np.concatenate([logits(graphs.int8, [row]) for row in graphs.ids[:16]])
    assert np.abs(together - alone).max() < 1e-5


def test_int8_stays_close_to_float(graphs: Graphs) -> None:
    exact = logits(graphs.float32, graphs.ids)
    assert np.abs(logits(graphs.int8, graphs.ids) - exact).mean() < 0.05 * exact.std()


def test_the_float_graph_says_what_the_network_says_of_texts_of_any_length(graphs: Graphs) -> None:
    for rows in (graphs.ids[:1], graphs.ids[:40], [[5, 9]], [[7] * 20, [7] * 21], [[8] * 64]):
        with torch.no_grad():
            expected = graphs.network(*pad(rows, PAD)).numpy()
        np.testing.assert_allclose(logits(graphs.float32, rows), expected, atol=2e-4)


def test_nothing_is_worked_out_by_the_batch_any_more(graphs: Graphs) -> None:
    kinds = {node.op_type for node in onnx.load(str(graphs.int8)).graph.node}
    assert "DynamicQuantizeLinear" not in kinds
    assert {"QAttention", "MatMulIntegerToFloat", "QEmbedLayerNormalization"} <= kinds


def test_the_head_stays_in_floats(graphs: Graphs) -> None:
    graph = onnx.load(str(graphs.int8)).graph
    widths = {tuple(item.dims) for item in graph.initializer if item.data_type == onnx.TensorProto.FLOAT}
    assert widths & {(64, 3), (128, 3), (3, 64), (3, 128)}
    assert not any(
        "head" in name for node in graph.node if node.op_type.startswith("MatMulInteger") for name in node.input
    )


def test_a_session_runs_norms_and_biases_as_the_graph_has_them(graphs: Graphs, tmp_path: Path) -> None:
    options = session_options(threads=1)
    options.optimized_model_filepath = str(tmp_path / "as-run.onnx")
    onnxruntime.InferenceSession(str(graphs.int8), options, providers=["CPUExecutionProvider"])
    run = onnx.load(str(tmp_path / "as-run.onnx")).graph.node

    operators = [node.op_type for node in run]
    assert operators.count("LayerNormalization") == 4  # two a layer; fused with their sums they would be slow
    assert "SkipLayerNormalization" not in operators
    assert {len(node.input) for node in run if node.op_type == "MatMulIntegerToFloat"} == {7}  # the last is the bias


def test_a_scale_covers_even_values_whole() -> None:
    scale = best_scale(np.ones(100), -1.0, 3.0)
    assert scale.step == pytest.approx(4 / 255, rel=0.05)
    assert scale.zero == pytest.approx(255 / 4, abs=4)


def test_a_scale_gives_up_a_rare_value_for_the_common_ones() -> None:
    counts = np.zeros(1_000)
    counts[:100] = 1e6
    counts[-1] = 1
    assert best_scale(counts, 0.0, 100.0).step < 100 / 255 / 4


def with_outliers(network: Any) -> Any:
    """The network with two wide channels before each feed-forward network, and a neuron that one of them fires."""
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("bias") or "LayerNorm" in name:
                parameter.add_(torch.randn(parameter.shape) / 10)  # what is equal would be kept once
        for layer in network.encoder.encoder.layer:
            layer.attention.output.LayerNorm.weight[:2] *= 10
            layer.intermediate.dense.weight *= 5
            layer.intermediate.dense.weight[:, :2] *= 0.1
            layer.intermediate.dense.weight[7] = 0
            layer.intermediate.dense.weight[7, 0] = 2
            layer.output.dense.weight *= 10
    return network


@pytest.fixture(scope="module")
def outlying(tmp_path_factory: pytest.TempPathFactory) -> Graphs:
    folder = tmp_path_factory.mktemp("outlying")
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=120, hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=256,
        pad_token_id=PAD,
    )  # fmt: skip
    generator = np.random.default_rng(3)
    ids = [generator.integers(5, 120, size).tolist() for size in generator.integers(3, 60, 120)]
    network = with_outliers(CommentNetwork(new_encoder(config), 3, 20)).eval()
    export_float(network, folder / "float.onnx", max_length=64)
    quantise(folder / "float.onnx", folder / "int8.onnx", calibration_feeds(ids, PAD))
    return Graphs(folder / "float.onnx", folder / "int8.onnx", ids, network)


def test_outliers_are_split_and_divided_and_cost_the_rest_little(
    outlying: Graphs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [item.name for item in onnx.load(str(outlying.int8)).graph.initializer]
    assert sum(name.endswith(FACTORS) for name in names) == 2
    monkeypatch.setattr(feed_forward, "find_split", lambda *_: None)
    monkeypatch.setattr(feed_forward, "find_factors", lambda *_: None)
    quantise(outlying.float32, tmp_path / "plain.onnx", calibration_feeds(outlying.ids, PAD))
    exact = logits(outlying.float32, outlying.ids)
    tamed, plain = (
        np.square(logits(path, outlying.ids) - exact).mean() for path in (outlying.int8, tmp_path / "plain.onnx")
    )
    assert tamed < plain / 1.5, (tamed, plain)


def test_a_network_read_back_has_neither_copies_nor_factors(outlying: Graphs, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(outlying.int8.read_bytes())
    config = SimpleNamespace(pad_token_id=PAD)
    encoder = encoder_of_bundle(cast("Bundle", SimpleNamespace(path=tmp_path, config=config)))
    rows, mask = pad(outlying.ids[:20], PAD)
    with torch.no_grad():
        expected = outlying.network.encoder(input_ids=rows, attention_mask=mask).last_hidden_state[mask.bool()]
        found = encoder(input_ids=rows, attention_mask=mask).last_hidden_state[mask.bool()]
    assert float((found - expected).square().mean()) < 0.01 * float(expected.square().mean())


def test_weights_use_the_eighth_bit_and_no_two_of_four_saturate(graphs: Graphs) -> None:
    model = onnx.load(str(graphs.int8))
    values = {item.name: onnx.numpy_helper.to_array(item) for item in model.graph.initializer}
    products = [node for node in model.graph.node if node.op_type in ("QAttention", "MatMulIntegerToFloat")]
    largest = []
    for node in products:
        weight = values[node.input[1]].astype(int)
        largest.append(np.abs(weight).max())
        for sign in (1, -1):
            ordered = np.sort(np.maximum(sign * weight, 0).reshape(-1, 4, weight.shape[1]), axis=1)
            assert (ordered[:, -1] + ordered[:, -2]).max() <= 128
    assert len(products) == 8
    assert max(largest) > 64
