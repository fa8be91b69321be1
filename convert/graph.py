"""Writes a BERT classifier or a relative as an ONNX graph, already in the fused form that ONNX Runtime runs fastest.

The graph is built from the weights, node by node, rather than traced and then fused: the int8 weights of a quantised
checkpoint are kept exactly, it takes seconds, and it needs little more memory than the weights.

Inputs `input_ids` and `attention_mask` (int64, `[batch, length]`, padded on the right), output `logits` (float32,
`[batch, labels]`).
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from bundles.activations import Scale
from convert.bert import BertWeights, FloatArray, Layer, Linear, Norm, QuantisedMatrix

_OPSET = 17
_MICROSOFT_OPSET = 1
_IR_VERSION = 9
_MICROSOFT = "com.microsoft"
_INLINE_BYTES = 1024
# Of a tensor's place in the file beside the graph, so that it can be used where it is mapped.
_ALIGNMENT = 64
# Operator and its domain, by the name of an activation.
_ACTIVATIONS = {
    "relu": ("Relu", ""),
    "tanh": ("Tanh", ""),
    "gelu": ("Gelu", _MICROSOFT),
    "gelu_tanh": ("FastGelu", _MICROSOFT),
}


def write_graph(
    weights: BertWeights,
    path: Path,
    *,
    external_weights: bool = False,
    scales: Mapping[str, Scale] | None = None,
    every_token: bool = False,
) -> list[str]:
    """Write the model to `path`; with `external_weights`, its tensors go to a second file, which can be mapped.

    `scales` are those of the activations that int8 products read; without one, it is worked out for each batch. With
    `every_token`, the last layer reads all tokens to its end, though the head needs the first one only.
    Returns the names of the activations that products read.
    """
    data = path.with_name(f"{path.name}.data") if external_weights else None
    builder = GraphBuilder(weights, data, scales or {}, every_token=every_token)
    model = builder.build()
    path.write_bytes(model.SerializeToString())
    return builder.dense_inputs


def layer_name(index: int) -> str:
    """What the names of all parts of a layer begin with."""
    return f"layer{index}"


def feed_forward_inputs(index: int) -> tuple[str, str]:
    """The activations that the two products of a layer's feed-forward network read."""
    return f"{layer_name(index)}.attention_norm.out", f"{layer_name(index)}.intermediate.activated"


class GraphBuilder:
    """Collects nodes and initialisers; each method adds one part of the model and returns the name of its output."""

    def __init__(
        self, weights: BertWeights, weights_path: Path | None, scales: Mapping[str, Scale], *, every_token: bool
    ) -> None:
        self.dense_inputs: list[str] = []
        self._weights = weights
        self._shape = weights.shape
        self._weights_path = weights_path
        self._scales = dict(scales)
        self._every_token = every_token
        self._rounded: dict[str, tuple[str, str, str]] = {}
        self._nodes: list[onnx.NodeProto] = []
        self._initialisers: list[onnx.TensorProto] = []
        self._stored_bytes = 0

    def build(self) -> onnx.ModelProto:
        """The whole model."""
        hidden = self._embeddings()
        mask = self._node("Cast", ["attention_mask"], "mask", to=TensorProto.INT32)
        for index, layer in enumerate(self._weights.layers):
            is_narrow = index == self._shape.layers - 1 and not self._every_token
            hidden = (self._last_layer if is_narrow else self._layer)(layer_name(index), layer, hidden, mask)
        # One name either way: scales go by it.
        first = self._first_token(hidden, "cls") if self._every_token else self._node("Identity", [hidden], "cls")
        operator, domain = _ACTIVATIONS[self._shape.head_activation]
        pooled = self._node(operator, [self._dense("pooler", self._weights.pooler, first)], "pooled", domain=domain)
        logits = self._dense("classifier", self._weights.classifier, pooled)
        self._node("Identity", [logits], "logits")
        return self._model()

    def _model(self) -> onnx.ModelProto:
        inputs = [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"])
            for name in ("input_ids", "attention_mask")
        ]
        output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", self._shape.labels])
        graph = helper.make_graph(self._nodes, "bert-classifier", inputs, [output], self._initialisers)
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_MICROSOFT, _MICROSOFT_OPSET)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="kobert-classifier")

    def _embeddings(self) -> str:
        words = self._word_embeddings()
        size = self._node("Shape", ["input_ids"], "length", start=1, end=2)
        start = self._constant("zero", np.array([0], np.int64))
        table = self._constant("position_embeddings", self._weights.position_embeddings)
        positions = self._node("Slice", [table, start, size, start], "positions")
        summed = self._node("Add", [words, positions], "embedded")
        inputs = [summed, *self._norm("embedding_norm", self._weights.embedding_norm)]
        embeddings = self._node("LayerNormalization", inputs, "embeddings", axis=-1, epsilon=self._shape.norm_epsilon)
        projection = self._weights.projection
        return self._dense("projection", projection, embeddings) if projection else embeddings

    def _word_embeddings(self) -> str:
        table = self._weights.word_embeddings
        if isinstance(table, QuantisedMatrix):
            rows = self._node("Gather", [self._constant("word_rows", table.values), "input_ids"], "word_int8")
            scale = self._constant("word_scales", table.scale.reshape(-1, 1))
            scales = self._node("Gather", [scale, "input_ids"], "word_scale")
            return self._node("Mul", [self._node("Cast", [rows], "word_float", to=TensorProto.FLOAT), scales], "words")
        return self._node("Gather", [self._constant("word_embeddings", table), "input_ids"], "words")

    def _layer(self, name: str, layer: Layer, hidden: str, mask: str) -> str:
        return self._behind_attention(name, layer, self._attention(f"{name}.attention", layer, hidden, mask), hidden)

    def _last_layer(self, name: str, layer: Layer, hidden: str, mask: str) -> str:
        """`[batch, hidden]`: what the layer says of the first token, which needs no more of the others than their keys
        and values.
        """
        first = self._first_token(hidden, f"{name}.first")
        attended = self._attention_of_first(f"{name}.attention", layer, first, hidden, mask)
        return self._behind_attention(name, layer, attended, first)

    def _behind_attention(self, name: str, layer: Layer, attended: str, hidden: str) -> str:
        projected = self._dense(f"{name}.attention_output", layer.attention_output, attended)
        hidden = self._skip_norm(f"{name}.attention_norm", layer.attention_norm, projected, hidden)
        widened = self._activated(f"{name}.intermediate", layer.intermediate, hidden)
        narrowed = self._dense(f"{name}.output", layer.output, widened)
        if layer.past_factors is not None:
            hidden = self._node("Mul", [hidden, self._constant(f"{name}.factors", layer.past_factors)], f"{name}.past")
        return self._skip_norm(f"{name}.output_norm", layer.output_norm, narrowed, hidden)

    def _first_token(self, value: str, output: str) -> str:
        """The first of `value`'s tokens, to be rounded as all of them are."""
        if value in self._scales:
            self._scales[output] = self._scales[value]
        return self._node("Gather", [value, self._constant(f"{output}.place", np.array(0, np.int64))], output, axis=1)

    def _attention_of_first(self, name: str, layer: Layer, first: str, hidden: str, mask: str) -> str:
        axis = self._constant(f"{name}.axis", np.array([1], np.int64))
        query = self._node("Unsqueeze", [self._dense(f"{name}.query", layer.query, first), axis], f"{name}.queries")
        key = self._dense(f"{name}.key", layer.key, hidden)
        value = self._dense(f"{name}.value", layer.value, hidden)
        inputs = [query, key, value, "", mask]
        heads = self._shape.heads
        attended = self._node("MultiHeadAttention", inputs, f"{name}.attended", domain=_MICROSOFT, num_heads=heads)
        return self._node("Squeeze", [attended, axis], f"{name}.out")

    def _attention(self, name: str, layer: Layer, hidden: str, mask: str) -> str:
        self._note_input(hidden)
        parts = (layer.query, layer.key, layer.value)
        bias = self._constant(f"{name}.bias", np.concatenate([part.bias for part in parts]))
        matrices = [part.weight for part in parts]
        if not any(isinstance(matrix, QuantisedMatrix) for matrix in matrices):
            weight = self._constant(f"{name}.weight", np.concatenate([_columns(part) for part in parts], axis=1))
            inputs = [hidden, weight, bias, mask]
            return self._node("Attention", inputs, f"{name}.out", domain=_MICROSOFT, num_heads=self._shape.heads)
        merged = _stack([matrix for matrix in matrices if isinstance(matrix, QuantisedMatrix)])
        weight, scale, zero_point = self._int8(name, merged)
        values, input_scale, input_zero_point = self._quantised_input(hidden)
        inputs = [values, weight, bias, input_scale, scale, mask, input_zero_point, zero_point]
        return self._node("QAttention", inputs, f"{name}.out", domain=_MICROSOFT, num_heads=self._shape.heads)

    def _dense(self, name: str, linear: Linear, value: str) -> str:
        self._note_input(value)
        bias = self._constant(f"{name}.bias", linear.bias)
        if not isinstance(linear.weight, QuantisedMatrix):
            columns = self._constant(f"{name}.weight", _columns(linear))
            return self._node("Add", [self._node("MatMul", [value, columns], f"{name}.product"), bias], f"{name}.out")
        weight, scale, zero_point = self._int8(name, linear.weight)
        if value not in self._scales:
            inputs = [value, weight, scale, zero_point, bias]
            return self._node("DynamicQuantizeMatMul", inputs, f"{name}.out", domain=_MICROSOFT)
        values, input_scale, input_zero_point = self._quantised_input(value)
        inputs = [values, weight, input_scale, scale, input_zero_point, zero_point, bias]
        return self._node("MatMulIntegerToFloat", inputs, f"{name}.out", domain=_MICROSOFT)

    def _note_input(self, value: str) -> None:
        if value not in self.dense_inputs:
            self.dense_inputs.append(value)

    def _activated(self, name: str, linear: Linear, value: str) -> str:
        operator, domain = _ACTIVATIONS[self._shape.activation]
        return self._node(operator, [self._dense(name, linear, value)], f"{name}.activated", domain=domain)

    def _skip_norm(self, name: str, norm: Norm, value: str, skip: str) -> str:
        # Not SkipLayerNormalization, whose kernel is several times slower (worker/inference/engines/onnx.py).
        inputs = [self._node("Add", [value, skip], f"{name}.sum"), *self._norm(name, norm)]
        return self._node("LayerNormalization", inputs, f"{name}.out", axis=-1, epsilon=self._shape.norm_epsilon)

    def _norm(self, name: str, norm: Norm) -> tuple[str, str]:
        return self._constant(f"{name}.weight", norm.weight), self._constant(f"{name}.bias", norm.bias)

    def _quantised_input(self, value: str) -> tuple[str, str, str]:
        """The activation `value` in 8 bits, its scale and its zero point."""
        if value not in self._rounded:
            self._rounded[value] = self._fixed(value) if value in self._scales else self._by_batch(value)
        return self._rounded[value]

    def _by_batch(self, value: str) -> tuple[str, str, str]:
        values, scale, zero_point = f"{value}.int8", f"{value}.scale", f"{value}.zero_point"
        outputs = [values, scale, zero_point]
        self._nodes.append(helper.make_node("DynamicQuantizeLinear", [value], outputs, f"{value}.quantise"))
        return values, scale, zero_point

    def _fixed(self, value: str) -> tuple[str, str, str]:
        fixed = self._scales[value]
        scale = self._constant(f"{value}.scale", np.array(fixed.step, np.float32))
        zero_point = self._constant(f"{value}.zero_point", np.array(fixed.zero, np.uint8))
        return self._node("QuantizeLinear", [value, scale, zero_point], f"{value}.int8"), scale, zero_point

    def _int8(self, name: str, matrix: QuantisedMatrix) -> tuple[str, str, str]:
        scale = matrix.scale if matrix.scale.size > 1 else matrix.scale.reshape(())
        zero_point = matrix.zero_point if matrix.zero_point.size > 1 else matrix.zero_point.reshape(())
        return (
            self._constant(f"{name}.weight_int8", np.ascontiguousarray(matrix.values.T)),
            self._constant(f"{name}.weight_scale", scale),
            self._constant(f"{name}.weight_zero_point", zero_point),
        )

    def _node(
        self,
        operator: str,
        inputs: list[str],
        output: str,
        *,
        domain: str = "",
        **attributes: float,
    ) -> str:
        node = helper.make_node(operator, inputs, [output], output, None, domain)
        node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        self._nodes.append(node)
        return output

    def _constant(self, name: str, value: NDArray[np.generic]) -> str:
        if self._weights_path is None or value.nbytes < _INLINE_BYTES:
            self._initialisers.append(numpy_helper.from_array(value, name))
        else:
            self._initialisers.append(self._store(name, value, self._weights_path))
        return name

    def _store(self, name: str, value: NDArray[np.generic], path: Path) -> onnx.TensorProto:
        padding = -self._stored_bytes % _ALIGNMENT
        with path.open("ab" if self._stored_bytes else "wb") as file:
            file.write(bytes(padding))
            file.write(np.ascontiguousarray(value).data)
        tensor = TensorProto(name=name, dims=value.shape, data_type=helper.np_dtype_to_tensor_dtype(value.dtype))
        tensor.data_location = TensorProto.EXTERNAL
        offset = self._stored_bytes + padding
        for key, entry in (("location", path.name), ("offset", offset), ("length", value.nbytes)):
            tensor.external_data.add(key=key, value=str(entry))
        self._stored_bytes = offset + value.nbytes
        return tensor


def _columns(linear: Linear) -> FloatArray:
    """A float weight in the layout of ONNX: `[in, out]`."""
    weight = linear.to_float().weight
    if isinstance(weight, QuantisedMatrix):
        raise TypeError("to_float() gave an int8 matrix")
    return np.ascontiguousarray(weight.T)


def _stack(matrices: list[QuantisedMatrix]) -> QuantisedMatrix:
    """Concatenate matrices; each row keeps its scale and zero point."""
    return QuantisedMatrix(
        values=np.concatenate([matrix.values for matrix in matrices]),
        scale=np.concatenate([np.broadcast_to(matrix.scale, matrix.shape[:1]) for matrix in matrices]),
        zero_point=np.concatenate([np.broadcast_to(matrix.zero_point, matrix.shape[:1]) for matrix in matrices]),
    )
