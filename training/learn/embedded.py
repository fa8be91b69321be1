"""A network to train further, taken out of a served bundle: its int8 weights as floats again.

So that a user needs no encoder from elsewhere. Rounding to int8 and back moves a weight by half a step at most, which
a first epoch makes good. Only graphs that `training/ship/quantise.py` wrote are read.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import NodeProto, numpy_helper
from torch import Tensor
from transformers import BertConfig, BertModel

from bundles.format import MODEL_FILE, Bundle
from bundles.outliers import FACTORS
from shared.errors import ModelSourceError
from training.data.signals import OFFENSIVE
from training.learn.network import CommentNetwork, new_encoder
from training.learn.wide import WIDE_SPREAD, WIDE_TABLE, Wide

_EMBEDDINGS = ("word_embeddings.weight", "position_embeddings.weight", "token_type_embeddings.weight")


class _Graph:
    """The initialisers of a quantised graph by name, and its nodes by kind, in their order."""

    def __init__(self, path: Path) -> None:
        graph = onnx.load(str(path)).graph
        self._values = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
        self.nodes = list(graph.node)

    def of_kind(self, *kinds: str) -> list[NodeProto]:
        return [node for node in self.nodes if node.op_type in kinds]

    def plain(self, name: str) -> Tensor:
        return torch.from_numpy(np.array(self._values[name], dtype=np.float32))

    def has(self, name: str) -> bool:
        return name in self._values

    def whole(self, name: str) -> Tensor:
        return torch.from_numpy(np.array(self._values[name]))

    def dequantised(self, name: str) -> Tensor:
        stem = name.removesuffix("_quantized")
        scale, zero = (self._values[f"{stem}_{part}"].astype(np.float32) for part in ("scale", "zero_point"))
        return torch.from_numpy((self._values[f"{stem}_quantized"].astype(np.float32) - zero) * scale)


def encoder_of_bundle(bundle: Bundle) -> BertModel:
    """The encoder of a bundle that this project exported, in float32.

    Raises:
        ModelSourceError: the graph is not one that this project exports.
    """
    graph = _Graph(bundle.path / MODEL_FILE)
    try:
        state = _embeddings(graph)
        layers = graph.of_kind("QAttention")
        for index, attention in enumerate(layers):
            state |= _attention(graph, attention, index)
        state |= _dense_layers(graph, len(layers))
        return _encoder(state, len(layers), heads=int(layers[0].attribute[0].i), pad_id=bundle.config.pad_token_id)
    except (KeyError, IndexError, RuntimeError) as error:
        raise ModelSourceError(
            f"{bundle.path / MODEL_FILE} is no graph to train from: name an encoder instead"
        ) from error


def network_of_bundle(bundle: Bundle, outputs: Sequence[str], window_tokens: int) -> CommentNetwork:
    """The whole network of such a bundle, its head too; outputs that it does not serve start from nothing.

    Raises:
        ModelSourceError: the graph is not one that this project exports, or serves a label that is no output.
    """
    network = CommentNetwork(encoder_of_bundle(bundle), len(outputs), window_tokens)
    graph = _Graph(bundle.path / MODEL_FILE)
    try:
        of_mean, of_highest = _head_weights(graph)
        rows = [list(outputs).index(label) for label in bundle.config.labels]
        if len(of_mean) > len(rows):
            rows.append(list(outputs).index(OFFENSIVE))
        with torch.no_grad():
            network.head.weight.zero_()
            network.head.weight[rows] = torch.cat([of_mean, of_highest], dim=1)
            network.head.bias[rows] = graph.plain("head.bias")
        network.wide = _wide(graph, network.encoder.config.vocab_size, rows, len(outputs))
    except (KeyError, ValueError, RuntimeError, StopIteration) as error:
        raise ModelSourceError(f"{bundle.path / MODEL_FILE} has no head to go on from: use an encoder") from error
    return network.eval()


def _head_weights(graph: _Graph) -> tuple[Tensor, Tensor]:
    """The head's weights for the worst stretch and for the maximum, `[labels, hidden]` each."""
    states = graph.of_kind("LayerNormalization")[-1].output[0]
    of_mean, of_highest = {}, {}
    with_bias = next(node for node in graph.of_kind("Add") if "head.bias" in node.input)
    for node in graph.of_kind("MatMul"):
        if node.output[0] in with_bias.input:
            of_highest[node.name] = graph.plain(node.input[1]).T
        elif node.input[0] == states:
            of_mean[node.name] = graph.plain(node.input[1]).T
    return next(iter(of_mean.values())), next(iter(of_highest.values()))


def _wide(graph: _Graph, pieces: int, rows: Sequence[int], outputs: int) -> Wide | None:
    """The wide part, where the graph has one: its int8 table as it is, and what it adds to the served outputs."""
    if not graph.has(WIDE_TABLE):
        return None
    spread = graph.plain(WIDE_SPREAD)
    wide = Wide(1, pieces, len(spread), outputs)
    wide.table = graph.whole(WIDE_TABLE)
    wide.spread[:, list(rows)] = spread
    return wide


def _embeddings(graph: _Graph) -> dict[str, Tensor]:
    node = graph.of_kind("QEmbedLayerNormalization")[0]
    names = (*_EMBEDDINGS, "LayerNorm.weight", "LayerNorm.bias")
    return {
        f"embeddings.{name}": graph.dequantised(tensor) for name, tensor in zip(names, node.input[2:7], strict=True)
    }


def _attention(graph: _Graph, node: NodeProto, index: int) -> dict[str, Tensor]:
    weights = graph.dequantised(node.input[1]).chunk(3, dim=1)
    biases = graph.plain(node.input[2]).chunk(3)
    state: dict[str, Tensor] = {}
    for part, weight, bias in zip(("query", "key", "value"), weights, biases, strict=True):
        state[f"encoder.layer.{index}.attention.self.{part}.weight"] = weight.T.contiguous()
        state[f"encoder.layer.{index}.attention.self.{part}.bias"] = bias.contiguous()
    return state


def _dense_layers(graph: _Graph, layers: int) -> dict[str, Tensor]:
    """Each layer's three dense weights, and the biases and norms that follow them, which keep their names."""
    products = graph.of_kind("MatMulIntegerToFloat")[: 3 * layers]
    names = ("attention.output.dense", "intermediate.dense", "output.dense")
    state = {
        f"encoder.layer.{number // 3}.{names[number % 3]}.weight": graph.dequantised(node.input[1]).T.contiguous()
        for number, node in enumerate(products)
    }
    for node in graph.of_kind("MatMulIntegerToFloat", "LayerNormalization"):
        for name in node.input:
            if name.startswith("encoder.encoder.layer."):
                state[name.removeprefix("encoder.")] = graph.plain(name)
    for index in range(layers):
        _undo_division(graph, state, f"encoder.layer.{index}")
        _undo_split(state, f"encoder.layer.{index}")
    return state


def _undo_division(graph: _Graph, state: dict[str, Tensor], layer: str) -> None:
    """Multiply what `training/ship/feed_forward.py` divided: the network in float has no such factors."""
    norm = f"{layer}.attention.output.LayerNorm"
    name = f"encoder.{norm}.weight{FACTORS}"
    if graph.has(name):
        factors = graph.plain(name)
        state[f"{norm}.weight"] *= factors
        state[f"{norm}.bias"] *= factors
        state[f"{layer}.intermediate.dense.weight"] /= factors


def _undo_split(state: dict[str, Tensor], layer: str) -> None:
    """Let the copies of a neuron say nothing: only its rounded output ends at a cap, and needs them beyond it."""
    inner, bias = (state[f"{layer}.intermediate.dense.{part}"] for part in ("weight", "bias"))
    _, groups, sizes = torch.unique(inner, dim=0, return_inverse=True, return_counts=True)
    for group in torch.nonzero(sizes > 1).flatten():
        alike = torch.nonzero(groups == group).flatten()
        if not inner[alike[0]].any():
            continue  # neurons that read nothing, each for its own bias
        copies = alike[alike != alike[bias[alike].argmax()]]
        state[f"{layer}.output.dense.weight"][:, copies] = 0


def _encoder(state: dict[str, Tensor], layers: int, *, heads: int, pad_id: int) -> BertModel:
    words, width = state["embeddings.word_embeddings.weight"].shape
    config = BertConfig(
        vocab_size=words,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=len(state["encoder.layer.0.intermediate.dense.bias"]),
        max_position_embeddings=len(state["embeddings.position_embeddings.weight"]),
        type_vocab_size=len(state["embeddings.token_type_embeddings.weight"]),
        pad_token_id=pad_id,
        layer_norm_eps=1e-12,
    )
    encoder = new_encoder(config)
    missing, unexpected = encoder.load_state_dict(state, strict=False)
    if unexpected or any(not name.endswith("_ids") for name in missing):
        raise KeyError(str([*missing, *unexpected][:5]))
    return encoder
