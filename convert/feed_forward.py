"""Takes the outliers out of a BERT's feed-forward networks, where most of what int8 rounds off is rounded off."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bundles.activations import Channels, Scale
from bundles.outliers import find_factors, find_split, split_inner, split_outer
from convert.bert import BertWeights, FloatArray, Layer, Linear, Norm, QuantisedMatrix
from convert.graph import feed_forward_inputs


@dataclass(frozen=True)
class Tamed:
    """A classifier to be rounded, the scales of its split activations, and the factors of its divided ones, by name."""

    weights: BertWeights
    scales: dict[str, Scale] = field(default_factory=dict)
    factors: dict[str, FloatArray] = field(default_factory=dict)


def tame_outliers(weights: BertWeights, channels: Mapping[str, Channels]) -> Tamed:
    """The same classifier with outliers of its feed-forward networks split and divided where that pays.

    `channels` are those of the float graph's activations. Layers that are int8 already are kept.
    """
    tamed = Tamed(weights)
    layers = []
    for index, layer in enumerate(weights.layers):
        before, between = feed_forward_inputs(index)
        split, scale = _split(layer, channels[between])
        divided, factors = _divided(split, channels[before])
        layers.append(divided)
        if scale is not None:
            tamed.scales[between] = scale
        if factors is not None:
            tamed.factors[before] = factors
    return replace(tamed, weights=replace(weights, layers=tuple(layers)))


def _split(layer: Layer, neurons: Channels) -> tuple[Layer, Scale | None]:
    inner, outer = layer.intermediate, layer.output
    if isinstance(inner.weight, QuantisedMatrix) or isinstance(outer.weight, QuantisedMatrix):
        return layer, None
    split = find_split(neurons, outer.weight)
    if split is None:
        return layer, None
    inner = Linear(*split_inner(split, inner.weight, inner.bias))
    outer = Linear(*split_outer(split, outer.weight, outer.bias))
    return replace(layer, intermediate=inner, output=outer), split.scale


def _divided(layer: Layer, channels: Channels) -> tuple[Layer, FloatArray | None]:
    inner, norm = layer.intermediate, layer.attention_norm
    if isinstance(inner.weight, QuantisedMatrix):
        return layer, None
    factors = find_factors(channels, inner.weight)
    if factors is None:
        return layer, None
    divided = replace(
        layer,
        attention_norm=Norm(norm.weight / factors, norm.bias / factors),
        intermediate=Linear(inner.weight * factors, inner.bias),
        past_factors=factors,
    )
    return divided, factors
