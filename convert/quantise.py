"""Rounds a BERT's float weights to int8 by the scales of `bundles/int8_weights.py`.

The head stays as it is: it is small, and what it rounds off would go straight into the scores.
`convert/calibration.py` chooses the scales of the activations.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from bundles.int8_weights import largest, round_rows, safe_steps
from convert.bert import BertWeights, FloatArray, Layer, Linear, QuantisedMatrix
from convert.feed_forward import Taming

_LEVELS = 127


def quantise(weights: BertWeights, tamings: Sequence[Taming] | None = None) -> BertWeights:
    """The same classifier in int8, each layer changed by its taming before.

    Layers that are int8 already are kept, and so are the embeddings of such a model.
    """
    embeddings = weights.word_embeddings
    if not weights.is_quantised and not isinstance(embeddings, QuantisedMatrix):
        embeddings = _rounded(embeddings, largest(embeddings) / np.float32(_LEVELS))
    return replace(
        weights,
        word_embeddings=embeddings,
        projection=_quantise_linear(weights.projection) if weights.projection else None,
        layers=tuple(
            _quantise_layer(taming.apply(layer))
            for taming, layer in zip(tamings or [Taming()] * len(weights.layers), weights.layers, strict=True)
        ),
    )


def dequantise(weights: BertWeights) -> BertWeights:
    """The same classifier with every dense layer in float, as the reference for an int8 one."""
    return replace(
        weights,
        projection=weights.projection.to_float() if weights.projection else None,
        layers=tuple(_each_linear(layer, Linear.to_float) for layer in weights.layers),
        pooler=weights.pooler.to_float(),
        classifier=weights.classifier.to_float(),
    )


def quantise_matrix(matrix: FloatArray) -> QuantisedMatrix:
    """Round `matrix` `[rows, columns]` to int8, so that no sum of two products saturates."""
    return _rounded(matrix, safe_steps(matrix))


def _rounded(matrix: FloatArray, steps: FloatArray) -> QuantisedMatrix:
    values, scale = round_rows(matrix, steps)
    return QuantisedMatrix(values, scale, np.zeros(scale.shape, np.int8))


def _quantise_layer(layer: Layer) -> Layer:
    return _each_linear(layer, _quantise_linear)


def _each_linear(layer: Layer, change: Callable[[Linear], Linear]) -> Layer:
    return replace(
        layer,
        query=change(layer.query),
        key=change(layer.key),
        value=change(layer.value),
        attention_output=change(layer.attention_output),
        intermediate=change(layer.intermediate),
        output=change(layer.output),
    )


def _quantise_linear(linear: Linear) -> Linear:
    if isinstance(linear.weight, QuantisedMatrix):
        return linear
    return Linear(quantise_matrix(linear.weight), linear.bias)
