"""The weights of a BERT classifier, or of one of its relatives, as numpy arrays by name, and its sizes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bundles.model_config import Activation

HeadActivation = Literal["tanh", "gelu", "relu"]
# ELECTRA's name for the layer behind its embeddings; BERT has none.
PROJECTION = "bert.embeddings_project"
FloatArray = NDArray[np.float32]
Int8Array = NDArray[np.int8]


@dataclass(frozen=True)
class QuantisedMatrix:
    """An int8 matrix `[out, in]` that represents `(values - zero_point) * scale`; one scale, or one per row."""

    values: Int8Array
    scale: FloatArray
    zero_point: Int8Array

    @property
    def shape(self) -> tuple[int, ...]:
        """`(out, in)`."""
        return self.values.shape

    def to_float(self) -> FloatArray:
        """The float matrix that it represents."""
        scale, zero_point = self.scale.reshape(-1, 1), self.zero_point.reshape(-1, 1)
        return ((self.values.astype(np.int16) - zero_point) * scale).astype(np.float32)


@dataclass(frozen=True)
class Linear:
    """A dense layer: weight `[out, in]`, bias `[out]`."""

    weight: FloatArray | QuantisedMatrix
    bias: FloatArray

    def to_float(self) -> "Linear":
        """The same layer with a float weight."""
        weight = self.weight.to_float() if isinstance(self.weight, QuantisedMatrix) else self.weight
        return Linear(weight, self.bias)


@dataclass(frozen=True)
class Norm:
    """A layer normalisation."""

    weight: FloatArray
    bias: FloatArray


@dataclass(frozen=True)
class Layer:
    """One transformer layer."""

    query: Linear
    key: Linear
    value: Linear
    attention_output: Linear
    attention_norm: Norm
    intermediate: Linear
    output: Linear
    output_norm: Norm
    # By what a channel is multiplied where it goes past the feed-forward network; None: it goes past as it is.
    past_factors: FloatArray | None = None


@dataclass(frozen=True)
class BertShape:
    """Sizes of a BERT classifier; `heads` and the rest that tensors do not show come from its config.

    `embedding` is the width of the embeddings, which ELECTRA's smaller models widen to `hidden`.
    """

    family: str
    hidden: int
    embedding: int
    feed_forward: int
    layers: int
    heads: int
    vocabulary: int
    positions: int
    labels: int
    activation: Activation = "gelu"
    head_activation: HeadActivation = "tanh"
    norm_epsilon: float = 1e-12

    def describe(self) -> str:
        """Such as `BERT, 12 x 768, 8,002 tokens, 5 labels`."""
        return f"{self.family}, {self.layers} x {self.hidden}, {self.vocabulary:,} tokens, {self.labels} labels"


@dataclass(frozen=True)
class BertWeights:
    """All weights of a BERT classifier."""

    shape: BertShape
    word_embeddings: FloatArray | QuantisedMatrix
    # Position rows with the row of token type 0 added: a single text has no other type.
    position_embeddings: FloatArray
    embedding_norm: Norm
    # From the width of the embeddings to that of the layers.
    projection: Linear | None
    layers: tuple[Layer, ...]
    pooler: Linear
    classifier: Linear

    @property
    def is_quantised(self) -> bool:
        """Whether its dense layers are int8 in the checkpoint."""
        return isinstance(self.classifier.weight, QuantisedMatrix) or any(
            isinstance(layer.query.weight, QuantisedMatrix) for layer in self.layers
        )


def expected_shapes(shape: BertShape, position_rows: int, token_types: int) -> Mapping[str, tuple[int, ...]]:
    """Every tensor that a checkpoint of this shape has, by its name in transformers' BERT, with its shape."""
    hidden, wide, narrow = shape.hidden, shape.feed_forward, shape.embedding
    shapes: dict[str, tuple[int, ...]] = {
        "bert.embeddings.word_embeddings.weight": (shape.vocabulary, narrow),
        "bert.embeddings.position_embeddings.weight": (position_rows, narrow),
        **_norm("bert.embeddings.LayerNorm", narrow),
        **_linear("bert.pooler.dense", hidden, hidden),
        **_linear("classifier", shape.labels, hidden),
    }
    if token_types:
        shapes["bert.embeddings.token_type_embeddings.weight"] = (token_types, narrow)
    if narrow != hidden:
        shapes |= _linear(PROJECTION, hidden, narrow)
    for index in range(shape.layers):
        prefix = f"bert.encoder.layer.{index}"
        for part in ("query", "key", "value"):
            shapes |= _linear(f"{prefix}.attention.self.{part}", hidden, hidden)
        shapes |= _linear(f"{prefix}.attention.output.dense", hidden, hidden)
        shapes |= _norm(f"{prefix}.attention.output.LayerNorm", hidden)
        shapes |= _linear(f"{prefix}.intermediate.dense", wide, hidden)
        shapes |= _linear(f"{prefix}.output.dense", hidden, wide)
        shapes |= _norm(f"{prefix}.output.LayerNorm", hidden)
    return shapes


def _linear(name: str, rows: int, columns: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (rows, columns), f"{name}.bias": (rows,)}


def _norm(name: str, size: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (size,), f"{name}.bias": (size,)}
