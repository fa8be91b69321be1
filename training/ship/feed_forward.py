"""Takes the outliers out of the feed-forward networks of an exported float graph, before it is rounded to int8."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, helper, numpy_helper

from bundles.activations import Channels, Scale
from bundles.outliers import FACTORS, Floats, find_factors, find_split, split_inner, split_outer


@dataclass(frozen=True)
class _FeedForward:
    """The nodes of one network, in their order; `past` is the sum that its input goes to past it."""

    norm: NodeProto
    inner: NodeProto
    gelu: NodeProto
    outer: NodeProto
    outer_bias: NodeProto
    past: NodeProto


@dataclass(frozen=True)
class Tamed:
    """The scales of activations that were split, and the factors of those that were divided, by name."""

    scales: dict[str, Scale] = field(default_factory=dict)
    factors: dict[str, Floats] = field(default_factory=dict)


def tame_outliers(model: ModelProto, channels: Mapping[str, Channels]) -> Tamed:
    """Split and divide outliers of the feed-forward networks of `model`, as `export_float` writes it, where that pays.

    The graph is changed; `channels` are those of its activations.
    """
    constants = {constant.name: constant for constant in model.graph.initializer}
    tamed = Tamed()
    for part in _feed_forwards(model.graph.node):
        if _shares_weights(part, model.graph.node, constants):
            continue
        split = find_split(channels[part.gelu.output[0]], _rows(constants, part.outer.input[1]))
        if split is not None:
            bias = _constant_of(part.outer_bias, constants)
            inner = split_inner(split, _rows(constants, part.inner.input[1]), _values(constants, part.gelu.input[1]))
            outer = split_outer(split, _rows(constants, part.outer.input[1]), _values(constants, bias))
            _put(constants, part.inner.input[1], inner[0].T)
            _put(constants, part.gelu.input[1], inner[1])
            _put(constants, part.outer.input[1], outer[0].T)
            _put(constants, bias, outer[1])
            tamed.scales[part.gelu.output[0]] = split.scale
        factors = find_factors(channels[part.norm.output[0]], _rows(constants, part.inner.input[1]))
        if factors is not None:
            _divide(model, part, constants, factors)
            tamed.factors[part.norm.output[0]] = factors
    return tamed


def _feed_forwards(nodes: Sequence[NodeProto]) -> list[_FeedForward]:
    made_by = {output: node for node in nodes for output in node.output}
    found = []
    for gelu in (node for node in nodes if node.op_type == "BiasGelu"):
        inner = made_by[gelu.input[0]]
        norm = made_by[inner.input[0]]
        (outer,) = _readers(nodes, gelu.output[0])
        (outer_bias,) = _readers(nodes, outer.output[0])
        (past,) = (node for node in _readers(nodes, norm.output[0]) if node.op_type == "Add")
        found.append(_FeedForward(norm, inner, gelu, outer, outer_bias, past))
    return found


def _shares_weights(part: _FeedForward, nodes: Sequence[NodeProto], constants: Mapping[str, onnx.TensorProto]) -> bool:
    """Whether other nodes read what would be changed: the export keeps equal weights, such as untrained ones, once."""
    own = (part.norm, part.inner, part.gelu, part.outer, part.outer_bias)
    return any(len(_readers(nodes, name)) > 1 for node in own for name in node.input if name in constants)


def _readers(nodes: Sequence[NodeProto], value: str) -> list[NodeProto]:
    return [node for node in nodes if value in node.input]


def _constant_of(node: NodeProto, constants: Mapping[str, onnx.TensorProto]) -> str:
    return next(str(name) for name in node.input if name in constants)


def _divide(model: ModelProto, part: _FeedForward, constants: Mapping[str, onnx.TensorProto], factors: Floats) -> None:
    _, weight, bias = part.norm.input
    _put(constants, weight, _values(constants, weight) / factors)
    _put(constants, bias, _values(constants, bias) / factors)
    _put(constants, part.inner.input[1], _values(constants, part.inner.input[1]) * factors[:, None])
    model.graph.initializer.append(numpy_helper.from_array(factors, f"{weight}{FACTORS}"))
    value = part.norm.output[0]
    past = helper.make_node("Mul", [value, f"{weight}{FACTORS}"], [f"{value}.past"], f"{part.norm.name}.past")
    model.graph.node.insert(list(model.graph.node).index(part.norm) + 1, past)
    for place, name in enumerate(part.past.input):
        if name == value:
            part.past.input[place] = f"{value}.past"


def _values(constants: Mapping[str, onnx.TensorProto], name: str) -> Floats:
    values: Floats = numpy_helper.to_array(constants[name])
    return values


def _rows(constants: Mapping[str, onnx.TensorProto], name: str) -> Floats:
    """A weight `[in, out]` of the graph as `[out, in]`."""
    return np.ascontiguousarray(_values(constants, name).T)


def _put(constants: Mapping[str, onnx.TensorProto], name: str, values: Floats) -> None:
    constants[name].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values, dtype=np.float32), name))
