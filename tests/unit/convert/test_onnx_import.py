"""An ONNX file that is none, or is cut short: a sentence, wherever it is read first."""

from pathlib import Path

import onnx
import pytest

from convert.onnx_import import count_labels, import_float_graph
from shared.errors import ModelSourceError


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
    with pytest.raises(ModelSourceError, match=r"model\.onnx is (cut short|not a text classifier)"):
        count_labels(path)
    with pytest.raises(ModelSourceError, match=r"model\.onnx is (cut short|not a text classifier)"):
        import_float_graph(path, tmp_path / "float.onnx")


def test_the_number_of_labels_is_that_of_the_outputs_shape(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(graph([LOGITS]))
    assert count_labels(path) == 3
