"""An export's ends: what would be served wrongly without a word is refused, or made right."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from bundles.format import BundleConfig
from convert.onnx_import import import_float_graph, read_export
from convert.verify import check_padding, open_session, run_graph
from shared.errors import ModelSourceError

ROWS, WIDTH = 50, 32
TEXTS = [[1, 2, 3], [4, 5], [7, 8, 9, 10, 11]]
CONFIG = BundleConfig(
    format_version=1, name="m", problem_type="single_label_classification", labels=["a", "b", "c"], max_length=16,
    pad_token_id=0,
)  # fmt: skip


def export(*, masked: bool = True, end: str = "", kind: Any = np.float32, ids: int = TensorProto.INT64,
           shape: tuple[str | int, str | int] = ("batch", "length")) -> onnx.ModelProto:  # fmt: skip
    """The mean of the words' embeddings, of those that the mask leaves, and a dense layer."""
    random = np.random.default_rng(3)
    element = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    tensors = {"words": random.normal(size=(ROWS, WIDTH)), "dense": random.normal(size=(WIDTH, 3))}
    scores = "scores" if end else "logits"
    nodes = [helper.make_node("Gather", ["words", "input_ids"], ["embedded"])]
    if masked:
        nodes += [
            helper.make_node("Cast", ["attention_mask"], ["weights"], to=element),
            helper.make_node("Unsqueeze", ["weights", "last"], ["column"]),
            helper.make_node("Mul", ["embedded", "column"], ["seen"]),
            helper.make_node("ReduceSum", ["seen", "middle"], ["sum"], keepdims=0),
            helper.make_node("ReduceSum", ["column", "middle"], ["count"], keepdims=0),
            helper.make_node("Div", ["sum", "count"], ["mean"]),
        ]
    else:
        nodes.append(helper.make_node("ReduceMean", ["embedded"], ["mean"], axes=[1], keepdims=0))
    nodes.append(helper.make_node("MatMul", ["mean", "dense"], [scores]))
    if end:
        nodes.append(helper.make_node(end, [scores], ["logits"]))
    names = ("input_ids", "attention_mask") if masked else ("input_ids",)
    inputs = [helper.make_tensor_value_info(name, ids, list(shape)) for name in names]
    out = helper.make_tensor_value_info("logits", element, ["batch", 3])
    constants = [numpy_helper.from_array(value.astype(kind), name) for name, value in tensors.items()]
    constants += [numpy_helper.from_array(np.array([at]), name) for name, at in (("last", -1), ("middle", 1))]
    graph = helper.make_graph(nodes, "g", inputs, [out], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def imported(model: onnx.ModelProto, folder: Path) -> Path:
    onnx.save(model, str(folder / "model.onnx"))
    import_float_graph(folder / "model.onnx", folder / "float.onnx")
    return folder / "float.onnx"


def plain(folder: Path) -> np.ndarray:
    """The logits that all of these exports stand for."""
    (folder / "plain").mkdir()
    return run_graph(imported(export(), folder / "plain"), TEXTS)


@pytest.mark.parametrize("end", ["Softmax", "Sigmoid"])
def test_scores_at_the_end_of_a_graph_are_not_taken_for_logits(tmp_path: Path, end: str) -> None:
    graph = imported(export(end=end), tmp_path)
    np.testing.assert_allclose(run_graph(graph, TEXTS), plain(tmp_path), rtol=0, atol=1e-6)
    assert read_export(tmp_path / "model.onnx").is_multi_label == (end == "Sigmoid")


def test_a_log_softmax_stays_for_its_scores_are_the_same(tmp_path: Path) -> None:
    found = run_graph(imported(export(end="LogSoftmax"), tmp_path), TEXTS)
    expected = plain(tmp_path)
    normed = np.exp(expected) / np.exp(expected).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.exp(found), normed, rtol=0, atol=1e-6)


def test_ids_of_32_bits_and_weights_of_64_are_read(tmp_path: Path) -> None:
    expected = plain(tmp_path)
    for name, model in {"ids": export(ids=TensorProto.INT32), "weights": export(kind=np.float64)}.items():
        (tmp_path / name).mkdir()
        found = run_graph(imported(model, tmp_path / name), TEXTS)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_the_lowest_double_of_a_mask_does_not_become_infinite(tmp_path: Path) -> None:
    model = export(kind=np.float64)
    lowest = numpy_helper.from_array(np.array(np.finfo(np.float64).min), "lowest")
    model.graph.initializer.append(lowest)
    path = imported(model, tmp_path)
    constants = {constant.name: constant for constant in onnx.load(str(path)).graph.initializer}
    assert numpy_helper.to_array(constants["lowest"]) == np.finfo(np.float32).min


@pytest.mark.parametrize("shape", [(1, "length"), ("batch", 128), (8, 128)])
def test_a_graph_of_one_length_or_one_text_alone_is_refused(tmp_path: Path, shape: tuple[str | int, str | int]) -> None:
    with pytest.raises(ModelSourceError, match=r"model\.onnx reads input_ids of .* alone; export it with dynamic axes"):
        imported(export(shape=shape), tmp_path)


def test_a_graph_without_a_mask_whose_answer_moves_by_padding_is_refused(tmp_path: Path) -> None:
    check_padding(imported(export(), tmp_path), TEXTS, CONFIG, "me/model")
    with pytest.raises(ModelSourceError, match=r"me/model answers otherwise when a text is padded .*attention_mask"):
        check_padding(imported(export(masked=False), tmp_path), TEXTS, CONFIG, "me/model")


def test_a_graph_that_cannot_read_so_long_a_text_is_a_sentence(tmp_path: Path) -> None:
    model = export()
    positions = numpy_helper.from_array(np.zeros((10, WIDTH), np.float32), "positions")
    model.graph.initializer.append(positions)
    for at, node in enumerate((
        helper.make_node("CumSum", ["attention_mask", "middle_one"], ["places"]),
        helper.make_node("Gather", ["positions", "places"], ["placed"]),
        helper.make_node("Add", ["embedded", "placed"], ["both"]),
    )):  # fmt: skip
        model.graph.node.insert(at + 1, node)
    model.graph.initializer.append(numpy_helper.from_array(np.array(1), "middle_one"))
    path = imported(model, tmp_path)
    assert len(open_session(path).get_outputs()) == 1
    with pytest.raises(ModelSourceError, match="different lengths, up to 16 tokens; set MAX_LENGTH"):
        check_padding(path, TEXTS, CONFIG, "me/model")


def test_weights_that_are_no_numbers_are_refused_though_no_sample_text_has_them(tmp_path: Path) -> None:
    for broken in (np.nan, np.inf):
        model = export()
        words = numpy_helper.to_array(model.graph.initializer[0]).copy()
        words[-1, 3] = broken
        model.graph.initializer[0].CopyFrom(numpy_helper.from_array(words, "words"))
        with pytest.raises(ModelSourceError, match=r"words of model\.onnx holds values that are not finite"):
            imported(model, tmp_path)


def test_the_rows_of_the_words_are_the_graphs_own_whatever_a_config_says(tmp_path: Path) -> None:
    onnx.save(export(), str(tmp_path / "model.onnx"))
    assert read_export(tmp_path / "model.onnx").vocabulary == ROWS
