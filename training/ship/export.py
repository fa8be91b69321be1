"""From a network to its float graph: ONNX, fused for BERT."""

import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import onnx
import torch
from onnx import helper
from onnxruntime.transformers import optimizer
from transformers import BertConfig, BertModel

from training.learn.network import CommentNetwork, new_encoder

OPSET = 17


def export_float(network: CommentNetwork, path: Path, *, max_length: int) -> None:
    """Write the fused float32 graph: inputs `input_ids`, `attention_mask` `[batch, length]`, output `logits`."""
    network = with_positions(network, max_length).eval()
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "raw.onnx"
        _export_raw(network, raw)
        config = network.encoder.config
        fused = optimizer.optimize_model(
            str(raw), model_type="bert", num_heads=config.num_attention_heads, hidden_size=config.hidden_size
        )
        split_skip_norms(fused.model.graph)
        fused.save_model_to_file(str(path))


def _export_raw(network: CommentNetwork, path: Path) -> None:
    ids = torch.randint(5, 100, (2, 16))
    axes = {0: "batch", 1: "length"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter by tracing is deprecated, and is the one that BERT fusion knows
        torch.onnx.export(
            network,
            (ids, torch.ones_like(ids)),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=["input_ids", "attention_mask"],
            output_names=["logits"],
            dynamic_axes={"input_ids": axes, "attention_mask": axes, "logits": {0: "batch"}},
        )


def split_skip_norms(graph: onnx.GraphProto) -> None:
    """Undo one fusion: `SkipLayerNormalization` becomes the sums and the norm that it stands for.

    ONNX Runtime 1.32's kernel for it is not vectorised: 1.34 ms for 704 x 384 values, against 0.18 ms for its parts.
    """
    nodes = list(graph.node)
    del graph.node[:]
    for node in nodes:
        if node.op_type == "SkipLayerNormalization":
            graph.node.extend(_parts_of_skip_norm(node))
        else:
            graph.node.append(node)


def _parts_of_skip_norm(node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    value, skip, weight, shift, *bias = node.input
    if bias:
        yield helper.make_node("Add", [value, bias[0]], [f"{node.output[0]}.biased"], f"{node.name}.bias")
        value = f"{node.output[0]}.biased"
    yield helper.make_node("Add", [value, skip], [f"{node.output[0]}.sum"], f"{node.name}.sum")
    (epsilon,) = (attribute.f for attribute in node.attribute if attribute.name == "epsilon")
    inputs = [f"{node.output[0]}.sum", weight, shift]
    yield helper.make_node("LayerNormalization", inputs, [node.output[0]], node.name, axis=-1, epsilon=epsilon)


def with_positions(network: CommentNetwork, max_length: int) -> CommentNetwork:
    """The network with no more position embeddings than a window has tokens: the rest is dead weight in the file."""
    config = network.encoder.config
    if config.max_position_embeddings <= max_length:
        return network
    shorter = new_encoder(BertConfig(**{**config.to_dict(), "max_position_embeddings": max_length}))
    state = dict(network.encoder.state_dict())
    state.pop("embeddings.position_ids", None)
    name = "embeddings.position_embeddings.weight"
    state[name] = state[name][:max_length]
    shorter.load_state_dict(state, strict=False)
    return _rehead(shorter, network)


def _rehead(encoder: BertModel, network: CommentNetwork) -> CommentNetwork:
    copy = CommentNetwork(encoder, network.head.out_features, network.window_tokens, network.wide)
    copy.head.load_state_dict(network.head.state_dict())
    copy.folds = network.folds
    return copy
