"""Int8 whose activation scales are fixed: a text's score does not hang on its neighbours, and is nearer to float's."""

import weakref
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnxruntime import InferenceSession

from convert import calibration, feed_forward
from convert.bert import BertWeights
from convert.model_source import BertClassifier
from convert.state_dict import to_weights
from convert.verify import open_session, run_graph
from tests.support.checkpoints import bert_classifier

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The float graph and the int8 one of a small classifier, whose first layer has three outlying channels."""
    folder = tmp_path_factory.mktemp("graphs")
    model = bert_classifier()
    model.bert.embeddings.LayerNorm.weight.data[:3] *= 8
    classifier = BertClassifier(lambda: to_weights(model.state_dict(), "model.pt"))
    float_graph = classifier.write_float(folder)
    classifier.write_int8(folder / "model.onnx", texts(40, seed=1))
    return float_graph, folder / "model.onnx"


def texts(count: int, seed: int) -> list[list[int]]:
    random = np.random.default_rng(seed)
    return [random.integers(5, 200, size).tolist() for size in random.integers(3, 40, count)]


def test_a_texts_score_is_the_same_alone_and_among_others(graphs: tuple[Path, Path]) -> None:
    rows = texts(16, seed=2)
    longest = max(map(len, rows))
    ids = np.array([[*row, *[1] * (longest - len(row))] for row in rows], dtype=np.int64)
    mask = np.array([[1] * len(row) + [0] * (longest - len(row)) for row in rows], dtype=np.int64)
    together = open_session(graphs[1]).run(["logits"], {"input_ids": ids, "attention_mask": mask})[0]
    np.testing.assert_allclose(together, run_graph(graphs[1], rows), rtol=0, atol=1e-5)


def test_int8_stays_close_to_float_on_texts_that_chose_no_scale(graphs: tuple[Path, Path]) -> None:
    rows = texts(60, seed=3)
    exact, rounded = run_graph(graphs[0], rows), run_graph(graphs[1], rows)
    assert 0 < np.abs(rounded - exact).mean() < 0.05 * exact.std()


def test_nothing_is_worked_out_by_the_batch(graphs: tuple[Path, Path]) -> None:
    kinds = {node.op_type for node in onnx.load(str(graphs[1]), load_external_data=False).graph.node}
    assert {"QAttention", "MatMulIntegerToFloat", "QuantizeLinear"} <= kinds
    assert not {"DynamicQuantizeLinear", "DynamicQuantizeMatMul"} & kinds


def test_outliers_of_the_feed_forward_networks_cost_the_rest_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three wide channels before each network, and a neuron that fires by one of them, as BERT has them."""
    model = bert_classifier()
    for layer in model.bert.encoder.layer:
        layer.attention.output.LayerNorm.weight.data[:3] *= 10
        layer.intermediate.dense.weight.data *= 5
        layer.intermediate.dense.weight.data[:, :3] *= 0.1
        layer.intermediate.dense.weight.data[7] = 0
        layer.intermediate.dense.weight.data[7, 0] = 2
        layer.output.dense.weight.data *= 10
    errors = {}
    for name in ("tamed", "plain"):
        if name == "plain":
            monkeypatch.setattr(feed_forward, "find_split", lambda *_: None)
            monkeypatch.setattr(feed_forward, "find_factors", lambda *_: None)
        folder = tmp_path / name
        folder.mkdir()
        classifier = BertClassifier(lambda: to_weights(model.state_dict(), "model.pt"))
        exact = run_graph(classifier.write_float(folder), texts(60, seed=3))
        classifier.write_int8(folder / "model.onnx", texts(60, seed=1))
        errors[name] = float(np.square(run_graph(folder / "model.onnx", texts(60, seed=3)) - exact).mean())
    assert errors["tamed"] < errors["plain"] / 2, errors


def test_no_weights_are_held_while_graphs_of_their_size_are_mapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A conversion needed twice as much memory: its weights, the float graph, and a copy of all that is changed."""
    model = bert_classifier()
    held: list[weakref.ref[BertWeights]] = []
    mapped: list[weakref.ref[InferenceSession]] = []

    def read() -> BertWeights:
        assert not any(session() for session in mapped)
        weights = to_weights(model.state_dict(), "model.pt")
        held.append(weakref.ref(weights))
        return weights

    def map_graph(path: Path) -> InferenceSession:
        mapped.append(weakref.ref(session := open_session(path)))
        assert not any(weights() for weights in held)
        return session

    monkeypatch.setattr(calibration, "open_session", map_graph)
    classifier = BertClassifier(read)
    classifier.write_float(tmp_path)
    classifier.write_int8(tmp_path / "model.onnx", texts(10, seed=1))
    assert len(mapped) == 2
    assert not any(reference() for reference in (*held, *mapped))


def test_the_graph_keeps_its_sizes_when_neurons_are_split(tmp_path: Path) -> None:
    model = bert_classifier()
    for layer in model.bert.encoder.layer:
        layer.intermediate.dense.bias.data[7] = 60
    classifier = BertClassifier(lambda: to_weights(model.state_dict(), "model.pt"))
    classifier.write_float(tmp_path)
    classifier.write_int8(tmp_path / "model.onnx", texts(60, seed=1))
    graph = onnx.load(str(tmp_path / "model.onnx"), load_external_data=False).graph
    wide = {item.name: tuple(item.dims) for item in graph.initializer if item.name.endswith("intermediate.weight_int8")}
    shape = (model.config.hidden_size, model.config.intermediate_size)
    assert set(wide.values()) == {shape}
