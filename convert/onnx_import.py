"""Takes an ONNX export of a text classifier: names its output `logits`, and rounds it to int8 if needed."""

from dataclasses import dataclass
from pathlib import Path

import onnx
import onnxruntime
from onnxruntime.quantization import QuantType, quantize_dynamic

from bundles.int8_graph import fix_scales, rounded_activations
from bundles.int8_weights import refine_weights
from bundles.session import session_options
from convert.calibration import Activations, Rows
from convert.checkpoint import refuse_pointer
from convert.onnx_data import read_external_data
from convert.onnx_ends import check_inputs, count_labels, count_rows, ends_in_sigmoid, name_output
from convert.onnx_precision import refuse_broken_weights, to_float32
from shared.errors import ModelSourceError

_HEAD_PRODUCTS = 2
_INT8_OPERATORS = {"MatMulInteger", "QAttention", "DynamicQuantizeMatMul", "DequantizeLinear", "MatMulNBits"}


def import_float_graph(source: Path, target: Path) -> bool:
    """Write the graph at `source` to `target` in the shape that a bundle has; returns whether it is int8 already.

    Raises:
        ModelSourceError: it is damaged, or it is not a text classifier.
    """
    model = _load(source)
    check_inputs(model, source.name)
    name_output(model, source.name)
    read_external_data(model, source)
    refuse_broken_weights(model, source.name)
    to_float32(model)
    onnx.save(model, str(target), save_as_external_data=True, location=f"{target.stem}.weights")
    return any(node.op_type in _INT8_OPERATORS for node in model.graph.node)


def write_int8(float_graph: Path, target: Path, rows: Rows, *, is_int8: bool) -> None:
    """Write the int8 graph, weights beside it; its activations are rounded by scales that fit the texts `rows`.

    One that is int8 already keeps its weights; what it would round for each batch anew is fixed in it, too.

    Raises:
        ModelSourceError: ONNX Runtime cannot round it.
    """
    rounded = float_graph if is_int8 else _round(float_graph)
    model = onnx.load(str(rounded))
    if not is_int8:
        refine_weights(model, onnx.load(str(float_graph)))
    fix_scales(model, Activations(float_graph, rounded_activations(model), rows).scales())
    onnx.save(model, str(target), save_as_external_data=True, location=f"{target.name}.data")


def _round(float_graph: Path) -> Path:
    rounded = float_graph.with_name("rounded.onnx")
    try:
        quantize_dynamic(
            str(float_graph),
            str(rounded),
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,  # `refine_weights` rounds most of them anew
            nodes_to_exclude=_head_nodes(float_graph),
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
    except Exception as error:  # whatever ONNX Runtime's tool meets in a graph of another program
        raise ModelSourceError(f"the ONNX export cannot be rounded to int8: {_first_line(error)}") from error
    return rounded


def _head_nodes(path: Path) -> list[str]:
    """The products behind the last layer, which are small and go straight into the scores: the last two."""
    graph = onnx.load(str(path), load_external_data=False).graph
    constants = {constant.name for constant in graph.initializer}
    products = [node for node in graph.node if node.op_type in {"MatMul", "Gemm"} and set(node.input) & constants]
    names = [node.name for node in products[-_HEAD_PRODUCTS:]]
    return [*names, *(f"{name}_MatMul" for name in names)]  # the quantiser first takes a Gemm apart


@dataclass(frozen=True)
class Export:
    """What an ONNX export tells of itself: its labels and the rows of its word embeddings, where they are fixed.

    `is_multi_label`: it ends in a sigmoid for each label.
    """

    labels: int | None
    vocabulary: int | None
    is_multi_label: bool


def read_export(path: Path) -> Export:
    """Read the graph at `path` without its weights.

    Raises:
        ModelSourceError: it is damaged, or it has no output.
    """
    model = _load(path)
    if not model.graph.output:
        raise ModelSourceError(f"{path.name} is not a text classifier: it has no output")
    return Export(count_labels(model), count_rows(model), ends_in_sigmoid(model))


def check_runs(path: Path, name: str) -> None:
    """Refuse a graph that ONNX Runtime cannot load.

    Raises:
        ModelSourceError: with ONNX Runtime's reason.
    """
    try:
        onnxruntime.InferenceSession(str(path), session_options(1), providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own error classes share no public base
        raise ModelSourceError(f"{name} cannot be run by ONNX Runtime: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def _load(path: Path) -> onnx.ModelProto:
    """The graph without the tensors that lie in other files."""
    refuse_pointer(path)
    try:
        return onnx.load(str(path), load_external_data=False)
    except Exception as error:  # onnx and protobuf raise several kinds of errors for a damaged file
        raise ModelSourceError(f"{path.name} is cut short or not an ONNX model; download or copy it again") from error
