"""Int8 graphs: scales that fit the values, scores that do not hang on a text's neighbours, and a way back to floats."""

from pathlib import Path
from typing import NamedTuple

import pytest

torch = pytest.importorskip("torch", reason="the training extra is not installed")

import numpy as np  # noqa: E402  after the skip
import onnx  # noqa: E402
import onnxruntime  # noqa: E402
from transformers import BertConfig  # noqa: E402

from bundles.activations import best_scale  # noqa: E402
from bundles.session import session_options  # noqa: E402
from training.data.batches import pad  # noqa: E402
from training.learn.network import CommentNetwork, new_encoder  # noqa: E402
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
