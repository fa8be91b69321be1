"""Turns an ONNX graph in half precision into one in float32, which is what processors compute in."""

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, numpy_helper

_HALF = frozenset((TensorProto.FLOAT16, TensorProto.BFLOAT16))
_TYPE_ATTRIBUTES = frozenset(("to", "dtype", "output_dtype"))


def widen_to_float32(model: onnx.ModelProto) -> bool:
    """Replace every half of the graph, its inputs, outputs and constants, by a float; returns whether it had any."""
    found = False
    for graph in _graphs(model.graph):
        for value in (*graph.input, *graph.output, *graph.value_info):
            found |= _widen_type(value.type.tensor_type)
        for tensor in graph.initializer:
            found |= _widen_tensor(tensor)
        for node in graph.node:
            for attribute in node.attribute:
                found |= _widen_attribute(attribute)
    return found


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs) if attribute.HasField("g") or attribute.graphs else ():
                yield from _graphs(inner)


def _widen_type(kind: onnx.TypeProto.Tensor) -> bool:
    if kind.elem_type not in _HALF:
        return False
    kind.elem_type = TensorProto.FLOAT
    return True


def _widen_tensor(tensor: onnx.TensorProto) -> bool:
    if tensor.data_type not in _HALF:
        return False
    values = numpy_helper.to_array(tensor).astype(np.float32)
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return True


def _widen_attribute(attribute: onnx.AttributeProto) -> bool:
    if attribute.type == AttributeProto.TENSOR:
        return _widen_tensor(attribute.t)
    if attribute.type == AttributeProto.INT and attribute.name in _TYPE_ATTRIBUTES and attribute.i in _HALF:
        attribute.i = TensorProto.FLOAT
        return True
    return False
