"""From the float graph to the int8 one: weights per channel, activations by scales that were measured once.

Fixed activation scales make a text's score the same whatever batch it is in, and let a scale leave out the rare values
that would cost the common ones their precision. ONNX Runtime's own quantiser finds what to quantise; what it would
work out anew for each batch is then replaced by constants.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import ModelProto, NodeProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from shared.processors import available_cpus
from training.data.batches import pad

Feeds = Mapping[str, npt.NDArray[np.int64]]
_FLOAT = onnx.TensorProto.FLOAT
_LEVELS = 255
_BINS = 2_048
_SHARES = np.linspace(0.15, 1.0, 35)
_CONTRIB = "com.microsoft"
_ENCODER_NODES = ("/encoder/", "Attention_")
_CALIBRATION_TEXTS = 640
_CALIBRATION_BATCH = 32


@dataclass(frozen=True)
class Scale:
    """An activation `x` is stored as `round(x / step) + zero`, an uint8."""

    step: float
    zero: int


def calibration_feeds(ids: Sequence[Sequence[int]], pad_id: int) -> list[Feeds]:
    """Batches of like length, as a graph's inputs, from an even draw of the given training texts' token ids."""
    drawn = sorted(ids[:: max(len(ids) // _CALIBRATION_TEXTS, 1)], key=len)
    batches = [drawn[start : start + _CALIBRATION_BATCH] for start in range(0, len(drawn), _CALIBRATION_BATCH)]
    padded = [pad(batch, pad_id) for batch in batches]
    return [{"input_ids": rows.numpy(), "attention_mask": mask.numpy()} for rows, mask in padded]


def quantise(float_path: Path, path: Path, calibration: Sequence[Feeds]) -> None:
    """Write the int8 graph; `calibration` are batches of training texts, as `calibration_feeds` makes them.

    The classifier itself stays float: it is a few kilobytes, and the calibration of the scores lives in it. Weights
    take 7 bits, because processors without VNNI saturate where 8-bit weights meet 8-bit activations.
    """
    quantise_weights(float_path, path)
    model = onnx.load(str(path))
    names = [node.input[0] for node in model.graph.node if node.op_type == "DynamicQuantizeLinear"]
    scales = measure_scales(float_path, names, calibration)
    fix_scales(model, scales)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def quantise_weights(float_path: Path, path: Path) -> None:
    """Write the graph with int8 weights and embeddings, which still works its activation scales out by the batch."""
    logging.getLogger().addFilter(_not_from_quantiser)
    try:
        quantize_dynamic(
            str(float_path),
            str(path),
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
            nodes_to_exclude=_head_nodes(float_path),
            extra_options={"DefaultTensorType": _FLOAT},
        )
    finally:
        logging.getLogger().removeFilter(_not_from_quantiser)


def _not_from_quantiser(record: logging.LogRecord) -> bool:
    return "onnxruntime" not in record.pathname  # it tells the root logger about every tensor


def _head_nodes(path: Path) -> list[str]:
    """Every product outside the encoder: the head reads token vectors, and the vectors' maximum."""
    graph = onnx.load(str(path), load_external_data=False).graph
    products = [node.name for node in graph.node if node.op_type in ("MatMul", "Gemm")]
    names = [name for name in products if not name.startswith(_ENCODER_NODES)]
    return [*names, *(f"{name}_MatMul" for name in names)]  # the quantiser first takes a Gemm apart


def measure_scales(float_path: Path, names: list[str], batches: Sequence[Feeds]) -> dict[str, Scale]:
    """The scale of each named activation that costs it the least squared error on the given batches."""
    model = onnx.load(str(float_path))
    for name in names:
        model.graph.output.append(helper.make_tensor_value_info(name, _FLOAT, None))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = available_cpus()
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    lowest, highest = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)
    for batch in batches:
        for name, values in zip(names, session.run(names, batch), strict=True):
            lowest[name] = min(lowest[name], float(values.min()))
            highest[name] = max(highest[name], float(values.max()))
    counts = {name: np.zeros(_BINS) for name in names}
    for batch in batches:
        for name, values in zip(names, session.run(names, batch), strict=True):
            counts[name] += np.histogram(values, _BINS, (lowest[name], highest[name]))[0]
    return {name: best_scale(counts[name], lowest[name], highest[name]) for name in names}


def best_scale(counts: npt.NDArray[np.float64], lowest: float, highest: float) -> Scale:
    """The scale with the least squared error for values with this histogram: what it cuts off, and what it rounds."""
    edges = np.linspace(lowest, highest, len(counts) + 1)
    centres = (edges[:-1] + edges[1:]) / 2
    best, least = (lowest, highest), np.inf
    for low in lowest * _SHARES:
        for high in highest * _SHARES:
            cut = (centres - np.clip(centres, low, high)) ** 2
            error = float((counts * cut).sum() + counts.sum() * ((high - low) / _LEVELS) ** 2 / 12)
            if error < least:
                best, least = (float(low), float(high)), error
    step = max((best[1] - best[0]) / _LEVELS, 1e-8)
    return Scale(step, int(np.clip(round(-best[0] / step), 0, _LEVELS)))


def fix_scales(model: ModelProto, scales: Mapping[str, Scale]) -> None:
    """Put constant scales in place of the nodes that would work them out, and fuse the products around them."""
    graph = model.graph
    consumers = {name: node for node in graph.node for name in node.input}
    fixed: list[NodeProto] = []
    dropped: set[str] = set()
    for node in graph.node:
        if node.op_type == "DynamicQuantizeLinear":
            fixed.append(_fixed_quantiser(graph, node, scales[node.input[0]]))
        elif node.op_type == "MatMulInteger":
            cast = consumers[node.output[0]]
            product = consumers[cast.output[0]]
            by = next(name for name in product.input if name != cast.output[0])
            factors = next(other for other in graph.node if by in other.output)
            dropped |= {cast.output[0], product.output[0], by}
            inputs = [*node.input[:2], *factors.input[:2], *node.input[2:]]
            name = f"{node.name}_to_float"
            fixed.append(
                helper.make_node("MatMulIntegerToFloat", inputs, [product.output[0]], name=name, domain=_CONTRIB)
            )
        else:
            fixed.append(node)
    kept = [node for node in fixed if node.op_type == "MatMulIntegerToFloat" or not dropped & set(node.output)]
    del graph.node[:]
    graph.node.extend(_with_biases(kept, {constant.name for constant in graph.initializer}))


def _with_biases(nodes: Sequence[NodeProto], constants: Collection[str]) -> list[NodeProto]:
    """The nodes, with the bias of a product added by the product itself instead of by the sum or GELU after it."""
    followers = {name: node for node in nodes if node.op_type in ("Add", "BiasGelu") for name in node.input}
    replaced: dict[str, list[NodeProto]] = {}
    for product in nodes:
        after = followers.get(product.output[0]) if product.op_type == "MatMulIntegerToFloat" else None
        bias = next((name for name in after.input if name in constants), None) if after else None
        if not after or not bias:
            continue
        product.input.append(bias)
        if after.op_type == "Add":
            product.output[0] = after.output[0]
            replaced[after.name] = []
        else:
            gelu = helper.make_node("Gelu", [product.output[0]], after.output, name=after.name, domain=_CONTRIB)
            replaced[after.name] = [gelu]
    return [kept for node in nodes for kept in replaced.get(node.name, [node])]


def _fixed_quantiser(graph: onnx.GraphProto, node: NodeProto, scale: Scale) -> NodeProto:
    quantised, step, zero = node.output
    graph.initializer.append(numpy_helper.from_array(np.array(scale.step, np.float32), step))
    graph.initializer.append(numpy_helper.from_array(np.array(scale.zero, np.uint8), zero))
    return helper.make_node("QuantizeLinear", [node.input[0], step, zero], [quantised], name=node.name)
