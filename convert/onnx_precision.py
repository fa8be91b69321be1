"""Turns an ONNX graph in half or double precision into one in float32, and refuses weights that are no numbers."""

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, numpy_helper

from shared.errors import ModelSourceError

_OTHER = frozenset((TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE))
_FLOATS = _OTHER | {TensorProto.FLOAT}
_LARGEST = np.finfo(np.float32).max
# What multiplies its constants, or looks rows of them up.
_USES_WEIGHTS = frozenset(("MatMul", "Gemm", "Gather", "Add"))
_TYPE_ATTRIBUTES = frozenset(("to", "dtype", "output_dtype"))


def to_float32(model: onnx.ModelProto) -> None:
    """Replace every half and double of the graph, its inputs, outputs and constants, by a float."""
    for graph in _graphs(model.graph):
        for value in (*graph.input, *graph.output, *graph.value_info):
            _turn_type(value.type.tensor_type)
        for tensor in graph.initializer:
            _turn_tensor(tensor)
        for node in graph.node:
            for attribute in node.attribute:
                _turn_attribute(attribute)


def refuse_broken_weights(model: onnx.ModelProto, name: str) -> None:
    """Refuse weights that are not finite: of a token that no sample text has, nothing else would show it.

    A mask may be infinite; it is no matrix of these operators.

    Raises:
        ModelSourceError: names the tensor.
    """
    used = {given for node in model.graph.node if node.op_type in _USES_WEIGHTS for given in node.input}
    for tensor in model.graph.initializer:
        if tensor.data_type not in _FLOATS:
            continue
        values = numpy_helper.to_array(tensor)
        is_weight = tensor.name in used and values.ndim < 3
        if np.isnan(values).any() or (is_weight and np.isposinf(values).any()):
            raise ModelSourceError(
                f"{tensor.name} of {name} holds values that are not finite; the training of this model diverged"
            )


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs) if attribute.HasField("g") or attribute.graphs else ():
                yield from _graphs(inner)


def _turn_type(kind: onnx.TypeProto.Tensor) -> None:
    if kind.elem_type in _OTHER:
        kind.elem_type = TensorProto.FLOAT


def _turn_tensor(tensor: onnx.TensorProto) -> None:
    if tensor.data_type in _OTHER:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type == TensorProto.DOUBLE:
            # The lowest double masks; as a float it would be infinite, and times 0 no number.
            values = np.where(np.isinf(values), values, np.clip(values, -_LARGEST, _LARGEST))
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float32), tensor.name))


def _turn_attribute(attribute: onnx.AttributeProto) -> None:
    if attribute.type == AttributeProto.TENSOR:
        _turn_tensor(attribute.t)
    if attribute.type == AttributeProto.INT and attribute.name in _TYPE_ATTRIBUTES and attribute.i in _OTHER:
        attribute.i = TensorProto.FLOAT
