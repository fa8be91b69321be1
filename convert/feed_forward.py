"""Takes the outliers out of a BERT's feed-forward networks, where most of what int8 rounds off is rounded off."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bundles.activations import Channels, Scale
from bundles.outliers import Split, find_factors, find_split, split_inner, split_outer
from convert.bert import BertWeights, FloatArray, Layer, Linear, Norm, QuantisedMatrix
from convert.graph import feed_forward_inputs


@dataclass(frozen=True)
class Taming:
    """What is done to a layer's network: how its neurons are split, and by what its inputs are divided; None: nothing.

    It holds no weights, so that one layer at a time needs a second copy of its own.
    """

    split: Split | None = None
    factors: FloatArray | None = None

    def apply(self, layer: Layer) -> Layer:
        """The layer, changed."""
        split = layer if self.split is None else _split(layer, self.split)
        return split if self.factors is None else _divided(split, self.factors)


def find_tamings(weights: BertWeights, channels: Mapping[str, Channels]) -> list[Taming]:
    """How the network of each layer is split and divided where that pays; those that are int8 already are kept.

    `channels` are those of the float graph's activations.
    """
    return [_find(layer, channels, feed_forward_inputs(index)) for index, layer in enumerate(weights.layers)]


def scales_of(tamings: Sequence[Taming]) -> dict[str, Scale]:
    """The scales of the activations whose neurons are split, by their names."""
    between = [feed_forward_inputs(index)[1] for index in range(len(tamings))]
    return {name: taming.split.scale for name, taming in zip(between, tamings, strict=True) if taming.split}


def factors_of(tamings: Sequence[Taming]) -> dict[str, FloatArray]:
    """The factors of the activations whose channels are divided, by their names."""
    before = [feed_forward_inputs(index)[0] for index in range(len(tamings))]
    return {name: taming.factors for name, taming in zip(before, tamings, strict=True) if taming.factors is not None}


def _find(layer: Layer, channels: Mapping[str, Channels], inputs: tuple[str, str]) -> Taming:
    inner, outer = layer.intermediate.weight, layer.output.weight
    if isinstance(inner, QuantisedMatrix):
        return Taming()
    before, between = (channels[name] for name in inputs)
    split = None if isinstance(outer, QuantisedMatrix) else find_split(between, outer)
    if split is not None:
        inner, _ = split_inner(split, inner, layer.intermediate.bias)
    return Taming(split, find_factors(before, inner))


def _split(layer: Layer, split: Split) -> Layer:
    inner, outer = layer.intermediate, layer.output
    if isinstance(inner.weight, QuantisedMatrix) or isinstance(outer.weight, QuantisedMatrix):
        raise TypeError("neurons of int8 weights cannot be split")
    return replace(
        layer,
        intermediate=Linear(*split_inner(split, inner.weight, inner.bias)),
        output=Linear(*split_outer(split, outer.weight, outer.bias)),
    )


def _divided(layer: Layer, factors: FloatArray) -> Layer:
    inner, norm = layer.intermediate, layer.attention_norm
    if isinstance(inner.weight, QuantisedMatrix):
        raise TypeError("inputs of int8 weights cannot be divided")
    return replace(
        layer,
        attention_norm=Norm(norm.weight / factors, norm.bias / factors),
        intermediate=Linear(inner.weight * factors, inner.bias),
        past_factors=factors,
    )
