"""From the float graph to the int8 one: weights per channel, activations by scales that were measured once.

Before that, outliers of the activations are split and divided (`bundles/outliers.py`).

Fixed activation scales make a text's score the same whatever batch it is in, and let a scale leave out the rare values
that would cost the common ones their precision. ONNX Runtime's own quantiser finds what to quantise; what it would
work out anew for each batch is then replaced by constants.
"""

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

import onnx
import onnxruntime
from onnx import helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from bundles.activations import Feeds, RunGraph, measure_channels, measure_scales
from bundles.int8_graph import fix_scales, rounded_activations
from bundles.int8_weights import refine_weights
from shared.processors import available_cpus
from training.data.batches import pad
from training.ship.feed_forward import tame_outliers

_FLOAT = onnx.TensorProto.FLOAT
_ENCODER_NODES = ("/encoder/", "Attention_")
_CALIBRATION_TEXTS = 640
_CALIBRATION_BATCH = 32


def calibration_feeds(ids: Sequence[Sequence[int]], pad_id: int) -> list[Feeds]:
    """Batches of like length, as a graph's inputs, from an even draw of the given training texts' token ids."""
    drawn = sorted(ids[:: max(len(ids) // _CALIBRATION_TEXTS, 1)], key=len)
    batches = [drawn[start : start + _CALIBRATION_BATCH] for start in range(0, len(drawn), _CALIBRATION_BATCH)]
    padded = [pad(batch, pad_id) for batch in batches]
    return [{"input_ids": rows.numpy(), "attention_mask": mask.numpy()} for rows, mask in padded]


def quantise(float_path: Path, path: Path, calibration: Sequence[Feeds]) -> None:
    """Write the int8 graph; `calibration` are batches of training texts, as `calibration_feeds` makes them.

    The classifier itself stays float: it is a few kilobytes, and the calibration of the scores lives in it.
    """
    floats = onnx.load(str(float_path))
    names = _encoder_inputs(floats)
    run = _runner(float_path, names)
    channels = measure_channels(run, names, calibration)
    tamed = tame_outliers(floats, channels)
    with tempfile.TemporaryDirectory() as folder:
        onnx.save(floats, str(Path(folder) / "tamed.onnx"))
        quantise_weights(Path(folder) / "tamed.onnx", path)
    model = onnx.load(str(path))
    refine_weights(model, floats)
    rest = {name: channels[name] for name in rounded_activations(model) if name not in tamed.scales}
    fix_scales(model, {**measure_scales(run, rest, calibration, tamed.factors), **tamed.scales})
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def _encoder_inputs(model: onnx.ModelProto) -> list[str]:
    """The activations that products of the encoder read, each once."""
    products = [node for node in model.graph.node if node.op_type in ("Attention", "MatMul")]
    return list(dict.fromkeys(node.input[0] for node in products if node.name.startswith(_ENCODER_NODES)))


def quantise_weights(float_path: Path, path: Path) -> None:
    """Write the graph with int8 weights and embeddings, which still works its activation scales out by the batch.

    Weights have 7 bits, because processors without VNNI saturate where 8-bit weights meet 8-bit activations; those of
    products are rounded anew by `refine_weights`, finer and as safe.
    """
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


def _runner(float_path: Path, names: Sequence[str]) -> RunGraph:
    """Runs the float graph with the named activations as outputs."""
    model = onnx.load(str(float_path))
    for name in names:
        model.graph.output.append(helper.make_tensor_value_info(name, _FLOAT, None))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = available_cpus()
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda wanted, feeds: session.run(list(wanted), feeds)
