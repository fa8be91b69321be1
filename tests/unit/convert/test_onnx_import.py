"""An ONNX file that is none, or is cut short: a sentence, wherever it is read first."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from convert.graph import write_graph
from convert.onnx_import import check_runs, import_float_graph, read_export, write_int8
from convert.quantise import dequantise
from convert.state_dict import Architecture, to_weights
from convert.verify import open_session
from shared.errors import ModelSourceError
from tests.support.families import family_classifier


def graph(outputs: list[onnx.ValueInfoProto]) -> bytes:
    ids = onnx.helper.make_tensor_value_info("input_ids", onnx.TensorProto.INT64, ["batch", "length"])
    node = onnx.helper.make_node("Identity", ["input_ids"], ["logits"])
    made: bytes = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [ids], outputs)).SerializeToString()
    return made


LOGITS = onnx.helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["batch", 3])


@pytest.mark.parametrize(
    "content", [b"", b"version https://git-lfs.github.com/spec/v1", graph([LOGITS])[:-20], graph([])]
)
def test_a_file_that_is_no_classifier_is_refused_by_both_readers(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelSourceError, match=r"model\.onnx is (cut short|not a text classifier|a Git LFS pointer)"):
        read_export(path)
    with pytest.raises(ModelSourceError, match=r"model\.onnx is (cut short|not a text classifier|a Git LFS pointer)"):
        import_float_graph(path, tmp_path / "float.onnx")


def test_the_number_of_labels_is_that_of_the_outputs_shape(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(graph([LOGITS]))
    assert read_export(path).labels == 3


def classifier(half: bool = False) -> onnx.ModelProto:
    """Embeddings, their mean and a dense layer: `[batch, 3]` of the ids, in float or in half precision."""
    kind = np.float16 if half else np.float32
    element = onnx.TensorProto.FLOAT16 if half else onnx.TensorProto.FLOAT
    random = np.random.default_rng(3)
    tensors = {"words": random.normal(size=(50, 32)), "dense": random.normal(size=(32, 3)), "bias": np.arange(3)}
    nodes = [
        onnx.helper.make_node("Gather", ["words", "input_ids"], ["embedded"]),
        onnx.helper.make_node("ReduceMean", ["embedded"], ["mean"], axes=[1], keepdims=0),
        onnx.helper.make_node("MatMul", ["mean", "dense"], ["product"], "head"),
        onnx.helper.make_node("Cast", ["product"], ["cast"], to=element),
        onnx.helper.make_node("Add", ["cast", "bias"], ["logits"]),
    ]
    ids = onnx.helper.make_tensor_value_info("input_ids", onnx.TensorProto.INT64, ["batch", "length"])
    out = onnx.helper.make_tensor_value_info("logits", element, ["batch", 3])
    constants = [onnx.numpy_helper.from_array(value.astype(kind), name) for name, value in tensors.items()]
    made = onnx.helper.make_graph(nodes, "g", [ids], [out], constants)
    return onnx.helper.make_model(made, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)


def answer(path: Path) -> np.ndarray:
    check_runs(path, path.name)
    session = open_session(path)
    found: np.ndarray = session.run(["logits"], {"input_ids": np.array([[1, 2, 3], [4, 5, 6]])})[0]
    return found


def write_with_links(folder: Path, model: onnx.ModelProto) -> Path:
    """The export and its data as a snapshot of the Hub has them: links to files elsewhere, of other names."""
    blobs, snapshot = folder / "blobs", folder / "snapshot"
    blobs.mkdir()
    snapshot.mkdir()
    onnx.save(
        model, str(blobs / "model.onnx"), save_as_external_data=True, location="model.onnx_data", size_threshold=0
    )  # fmt: skip
    for name, blob in {"model.onnx": "0a1b", "model.onnx_data": "2c3d"}.items():
        (blobs / name).rename(blobs / blob)
        (snapshot / name).symlink_to(blobs / blob)
    return snapshot / "model.onnx"


def test_an_export_whose_weights_are_behind_links_is_read(tmp_path: Path) -> None:
    onnx.save(classifier(), str(tmp_path / "plain.onnx"))
    path = write_with_links(tmp_path, classifier())
    import_float_graph(path, tmp_path / "float.onnx")
    np.testing.assert_array_equal(answer(tmp_path / "float.onnx"), answer(tmp_path / "plain.onnx"))


def test_weights_that_are_missing_or_cut_short_are_named(tmp_path: Path) -> None:
    path = write_with_links(tmp_path, classifier())
    data = tmp_path / "blobs" / "2c3d"
    data.write_bytes(data.read_bytes()[:-10])
    with pytest.raises(ModelSourceError, match=r"model\.onnx_data \([\d,]+ bytes\) is cut short"):
        import_float_graph(path, tmp_path / "float.onnx")
    path.with_name("model.onnx_data").unlink()
    with pytest.raises(ModelSourceError, match=r"keeps its weights in model\.onnx_data, which is not beside it"):
        import_float_graph(path, tmp_path / "float.onnx")


@pytest.mark.parametrize("offset", ["here", "-1", "9" * 5_000, "0x10", ""])
def test_weights_at_no_place_are_one_sentence(tmp_path: Path, offset: str) -> None:
    path = write_with_links(tmp_path, classifier())
    model = onnx.load(str(path), load_external_data=False)
    for tensor in model.graph.initializer:
        next(entry for entry in tensor.external_data if entry.key == "offset").value = offset
    other = path.with_name("other.onnx")
    other.write_bytes(model.SerializeToString())
    with pytest.raises(ModelSourceError, match=r"model\.onnx_data .* is cut short"):
        import_float_graph(other, tmp_path / "float.onnx")


@pytest.mark.parametrize("location", ["../blobs/2c3d", "/etc/passwd", ""])
def test_a_graph_reads_no_file_outside_its_folder(tmp_path: Path, location: str) -> None:
    path = write_with_links(tmp_path, classifier())
    model = onnx.load(str(path), load_external_data=False)
    for tensor in model.graph.initializer:
        tensor.external_data[0].value = location
    other = path.with_name("other.onnx")
    other.write_bytes(model.SerializeToString())
    with pytest.raises(ModelSourceError, match="which is not beside it"):
        import_float_graph(other, tmp_path / "float.onnx")


def test_half_precision_becomes_float(tmp_path: Path) -> None:
    onnx.save(classifier(half=True), str(tmp_path / "half.onnx"))
    onnx.save(classifier(), str(tmp_path / "plain.onnx"))
    import_float_graph(tmp_path / "half.onnx", tmp_path / "float.onnx")
    found = answer(tmp_path / "float.onnx")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, answer(tmp_path / "plain.onnx"), rtol=0, atol=0.02)


def test_a_graph_that_onnx_runtime_cannot_run_is_a_sentence(tmp_path: Path) -> None:
    model = classifier()
    model.graph.node[0].op_type = "NoSuchOperator"
    onnx.save(model, str(tmp_path / "odd.onnx"))
    import_float_graph(tmp_path / "odd.onnx", tmp_path / "float.onnx")
    with pytest.raises(ModelSourceError, match=r"odd\.onnx cannot be run by ONNX Runtime: .*NoSuchOperator"):
        check_runs(tmp_path / "float.onnx", "odd.onnx")


@pytest.mark.training
def test_the_products_of_an_export_saturate_nowhere_and_are_finer_than_seven_bits(tmp_path: Path) -> None:
    weights = to_weights(family_classifier("ELECTRA").state_dict(), "x", Architecture(heads=2))
    write_graph(dequantise(weights), tmp_path / "export.onnx")
    import_float_graph(tmp_path / "export.onnx", tmp_path / "float.onnx")
    write_int8(tmp_path / "float.onnx", tmp_path / "int8.onnx", [[2, 5, 9, 3], [2, 7, 3]], is_int8=False)

    model = onnx.load(str(tmp_path / "int8.onnx"))
    constants = {constant.name: onnx.numpy_helper.to_array(constant) for constant in model.graph.initializer}
    products = [node for node in model.graph.node if node.op_type in {"MatMulIntegerToFloat", "QAttention"}]
    assert {node.op_type for node in products} == {"MatMulIntegerToFloat", "QAttention"}
    for node in products:
        values = constants[node.input[1]].astype(np.int32)
        pairs = values[0::2] + values[1::2]
        assert int(np.abs(pairs).max()) * 255 <= 32_767
        if node.op_type == "MatMulIntegerToFloat":
            assert int(np.abs(values).max()) > 64
