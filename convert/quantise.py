"""Rounds float weights to int8, each row with a scale of its own.

Rounding is symmetric, so zero stays zero and products need no correction. The head stays as it is: it is small, and
what it rounds off would go straight into the scores. `convert/calibration.py` chooses the scales of the activations.

Processors without VNNI (x86-64 before 2019, and many after) add the products of two neighbouring weights in 16 bits
and cut off what does not fit (VPMADDUBSW). Seven bits for every weight would prevent that at twice the rounding error.
Here a row's scale is chosen so that no two weights of one sign among four neighbours are too large together.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from convert.bert import BertWeights, FloatArray, Layer, Linear, QuantisedMatrix

_LEVELS = 127
_TOGETHER = 4
# Times 255, the largest activation, it fits 16 bits; less what two weights gain by rounding.
_MOST_OF_TWO = 127


def quantise(weights: BertWeights) -> BertWeights:
    """The same classifier in int8. Layers that are int8 already are kept, and so are the embeddings of such a model."""
    embeddings = weights.word_embeddings
    if not weights.is_quantised and not isinstance(embeddings, QuantisedMatrix):
        embeddings = _rounded(embeddings, _largest(embeddings) / np.float32(_LEVELS))
    return replace(
        weights,
        word_embeddings=embeddings,
        projection=_quantise_linear(weights.projection) if weights.projection else None,
        layers=tuple(_quantise_layer(layer) for layer in weights.layers),
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
    steps: FloatArray = np.maximum(_largest(matrix) / _LEVELS, _largest_pairs(matrix) / _MOST_OF_TWO)
    return _rounded(matrix, steps)


def _rounded(matrix: FloatArray, steps: FloatArray) -> QuantisedMatrix:
    scale = np.where(steps > 0, steps, 1.0).astype(np.float32)
    values = np.rint(matrix / scale.reshape(-1, 1)).astype(np.int8)
    return QuantisedMatrix(values, scale, np.zeros(scale.shape, np.int8))


def _largest(matrix: FloatArray) -> FloatArray:
    largest: FloatArray = np.abs(matrix).max(axis=1)
    return largest


def _largest_pairs(matrix: FloatArray) -> FloatArray:
    """By row, the largest sum of two weights of one sign among the four that one instruction takes together."""
    rows, columns = matrix.shape
    padded = np.pad(matrix, ((0, 0), (0, -columns % _TOGETHER)))
    ordered = np.sort(padded.reshape(rows, -1, _TOGETHER), axis=2)
    highest = np.maximum(ordered[:, :, -1], 0) + np.maximum(ordered[:, :, -2], 0)
    lowest = np.maximum(-ordered[:, :, 0], 0) + np.maximum(-ordered[:, :, 1], 0)
    pairs: FloatArray = np.maximum(highest, lowest).max(axis=1)
    return pairs


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
