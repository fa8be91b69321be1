"""Puts constant activation scales into an int8 graph of ONNX Runtime's dynamic quantiser.

The quantiser finds what to round; what its graph would work out anew for each batch is replaced by constants here, and
the products around it are fused.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, helper, numpy_helper

from bundles.activations import Scale

_CONTRIB = "com.microsoft"


def rounded_activations(model: ModelProto) -> list[str]:
    """Names of the activations that the graph rounds at run time, each once."""
    return list(dict.fromkeys(node.input[0] for node in model.graph.node if node.op_type == "DynamicQuantizeLinear"))


def fix_scales(model: ModelProto, scales: Mapping[str, Scale]) -> None:
    """Put constant scales in place of the nodes that would work them out, and fuse the products around them."""
    graph = model.graph
    uses = _uses(graph.node)
    made_by = {name: node for node in graph.node for name in node.output}
    fixed: list[NodeProto] = []
    dropped: set[str] = set()
    for node in graph.node:
        if node.op_type == "DynamicQuantizeLinear":
            fixed.append(_fixed_quantiser(graph, node, scales[node.input[0]]))
            continue
        found = _to_float(node, uses, made_by) if node.op_type == "MatMulInteger" else None
        if found is None:
            fixed.append(node)
        else:
            fused, replaced = found
            dropped |= replaced
            fixed.append(fused)
    kept = [node for node in fixed if node.op_type == "MatMulIntegerToFloat" or not dropped & set(node.output)]
    sizes = {constant.name: tuple(constant.dims) for constant in graph.initializer}
    del graph.node[:]
    graph.node.extend(_with_biases(kept, sizes))


def _uses(nodes: Sequence[NodeProto]) -> dict[str, list[NodeProto]]:
    """The nodes that read each value."""
    uses: dict[str, list[NodeProto]] = {}
    for node in nodes:
        for name in node.input:
            uses.setdefault(name, []).append(node)
    return uses


def _to_float(
    node: NodeProto, uses: Mapping[str, list[NodeProto]], made_by: Mapping[str, NodeProto]
) -> tuple[NodeProto, set[str]] | None:
    """The product that scales its own result, and the outputs of the three nodes that it replaces.

    None where the graph does not scale it as the quantiser does: by a cast, and a product with both scales' product.
    """
    casts = uses.get(node.output[0], [])
    products = uses.get(casts[0].output[0], []) if len(casts) == 1 and casts[0].op_type == "Cast" else []
    if len(products) != 1 or products[0].op_type != "Mul":
        return None
    cast, product = casts[0], products[0]
    by = next((name for name in product.input if name != cast.output[0]), "")
    factors = made_by.get(by)
    if factors is None or factors.op_type != "Mul":
        return None
    inputs = [*node.input[:2], *factors.input[:2], *node.input[2:]]
    name = f"{node.name}_to_float"
    fused = helper.make_node("MatMulIntegerToFloat", inputs, [product.output[0]], name=name, domain=_CONTRIB)
    return fused, {cast.output[0], product.output[0], by}


def _with_biases(nodes: Sequence[NodeProto], sizes: Mapping[str, tuple[int, ...]]) -> list[NodeProto]:
    """The nodes, with the bias of a product added by the product itself instead of by the sum or GELU after it.

    `sizes` are the shapes of the constants.
    """
    uses = _uses(nodes)
    replaced: dict[str, list[NodeProto]] = {}
    for product in nodes:
        after = _only(uses, product.output[0]) if product.op_type == "MatMulIntegerToFloat" else None
        if after is None or after.op_type not in {"Add", "BiasGelu"}:
            continue
        columns = sizes.get(product.input[1], ())[-1:]
        bias = next((name for name in after.input if columns and sizes.get(name) == columns), None)
        if not bias:
            continue
        product.input.append(bias)
        if after.op_type == "Add":
            product.output[0] = after.output[0]
            replaced[after.output[0]] = []
        else:
            gelu = helper.make_node("Gelu", [product.output[0]], after.output, name=after.name, domain=_CONTRIB)
            replaced[after.output[0]] = [gelu]
    return [kept for node in nodes for kept in _kept(node, replaced)]


def _only(uses: Mapping[str, list[NodeProto]], value: str) -> NodeProto | None:
    """The node that alone reads `value`."""
    found = uses.get(value, [])
    return found[0] if len(found) == 1 else None


def _kept(node: NodeProto, replaced: Mapping[str, list[NodeProto]]) -> list[NodeProto]:
    # A product that took its sum over has the sum's output by now.
    return [node] if node.op_type == "MatMulIntegerToFloat" else replaced.get(node.output[0], [node])


def _fixed_quantiser(graph: onnx.GraphProto, node: NodeProto, scale: Scale) -> NodeProto:
    quantised, step, zero = node.output
    graph.initializer.append(numpy_helper.from_array(np.array(scale.step, np.float32), step))
    graph.initializer.append(numpy_helper.from_array(np.array(scale.zero, np.uint8), zero))
    return helper.make_node("QuantizeLinear", [node.input[0], step, zero], [quantised], name=node.name)
