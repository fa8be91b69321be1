"""Takes outliers out of the activations that an int8 product reads, by changes to the weights that float would not see.

One scale serves a whole activation, so the few channels that are ten times as wide as the others cost all of them their
precision. BERT has such channels at its first and its last token (Kovaleva et al., 2021): in the middle of the
feed-forward network one neuron, before it a handful of channels of the layer normalisation.

- A neuron that says up to 39 becomes several that say 7 each: the same weights, with 0, 7, 14, … taken off the bias.
  Rounding ends at the cap of itself, and `GELU(u)` is nearly `min(GELU(u), 7) + GELU(u - 7)`, as for ReLU and all that
  become `u` for a large `u`. A small cap breaks that: at .2, the copy of a neuron that says 0 says -.09. The copies
  take the places of neurons that matter least, so no product grows. (Outlier channel splitting, Zhao et al., 2019,
  halves a channel instead, which an activation function would not allow.)
- Channels before the feed-forward network are divided by factors in the normalisation, and the weights that read them
  multiplied by these (SmoothQuant, Xiao et al., 2023, for the outliers alone). What goes past the network needs the
  channels as they were: that is one product with a vector a layer.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bundles.activations import LEVELS, Channels, Scale

FACTORS = ".factors"
"""How the name of the vector ends, in a graph, that undoes the division of a normalisation; before it, its weight's."""

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.intp]

_CAPS = 256
# From here on, GELU(u) is u, and GELU(-u) is 0, to half a hundredth.
_LEAST_CAP = 3.0
_WIDTHS = 32
# Of the neurons, that copies may replace.
_MOST_REPLACED = 1 / 48
# A change must be worth it: of the expected squared error, what may be left.
_LEFT = 0.7
# Other texts go further than those that were measured.
_MARGIN = 1.1
_WEIGHT_LEVELS = 127


@dataclass(frozen=True)
class Split:
    """Which neurons are copied (`copied`), onto which places (`replaced`), and what is taken off each copy's bias."""

    scale: Scale
    copied: Indices
    replaced: Indices
    shifts: Floats
    means: Floats


def find_split(neurons: Channels, outer: Floats) -> Split | None:
    """How to split neurons that say `neurons` and that `outer` `[out, neurons]` reads; None if it does not pay.

    What it costs is estimated for many caps: the rounding of all neurons, and what the replaced ones said.
    """
    count = len(neurons.highest)
    reads = (outer.astype(np.float64) ** 2).sum(axis=0)
    importance = np.maximum(neurons.square - neurons.mean**2, 0) * reads
    top = neurons.highest * _MARGIN
    lowest = min(float(neurons.lowest.min()), 0.0)
    highest = float(top.max())
    least_cap = max(float(np.median(top)), highest / _CAPS, _LEAST_CAP)
    if not np.isfinite(importance).all() or highest <= least_cap:
        return None
    best, least = None, _LEFT * _rounding(highest - lowest, reads)
    for cap in np.linspace(highest, least_cap, _CAPS)[1:]:
        copies = np.maximum(np.ceil(top / cap) - 1, 0).astype(np.intp)
        wanted = int(copies.sum())
        if wanted > count * _MOST_REPLACED:
            break
        order = np.argsort(np.where(copies > 0, np.inf, importance), kind="stable")[:wanted]
        cost = _rounding(cap - lowest, reads) + float(importance[order].sum())
        if cost < least:
            best, least = (float(cap), copies, order), cost
    return _split(*best, lowest=lowest, neurons=neurons) if best else None


def _rounding(width: float, reads: npt.NDArray[np.float64]) -> float:
    """The squared error that rounding to 8 bits over a range of `width` makes behind the product."""
    return float((width / LEVELS) ** 2 / 12 * reads.sum())


def _split(cap: float, copies: Indices, replaced: Indices, *, lowest: float, neurons: Channels) -> Split:
    step = (cap - lowest) / LEVELS
    zero = round(-lowest / step)
    copied = np.repeat(np.arange(len(copies)), copies)
    turn = np.concatenate([np.arange(1, number + 1) for number in copies[copies > 0]])
    shifts = (turn * (LEVELS - zero) * step).astype(np.float32)
    return Split(Scale(step, zero), copied, replaced, shifts, neurons.mean[replaced].astype(np.float32))


def split_inner(split: Split, inner: Floats, bias: Floats) -> tuple[Floats, Floats]:
    """Weight `[neurons, in]` and bias of the layer that makes the neurons, with the copies in their places."""
    inner, bias = inner.copy(), bias.copy()
    inner[split.replaced] = inner[split.copied]
    bias[split.replaced] = bias[split.copied] - split.shifts
    return inner, bias


def split_outer(split: Split, outer: Floats, bias: Floats) -> tuple[Floats, Floats]:
    """Weight `[out, neurons]` and bias of the layer that reads them; the replaced ones' means go into the bias."""
    bias = bias + outer[:, split.replaced] @ split.means
    outer = outer.copy()
    outer[:, split.replaced] = outer[:, split.copied]
    return outer, bias.astype(np.float32)


def find_factors(channels: Channels, weight: Floats) -> Floats | None:
    """By what to divide each channel that `weight` `[out, channels]` reads; None if it does not pay.

    The error is estimated for many widths: that of the rounded channels, and that of the weights, whose rows' scales
    grow with the factors.
    """
    reach = np.maximum(channels.highest, -channels.lowest)
    reads = (weight.astype(np.float64) ** 2).sum(axis=0)
    if not np.isfinite(reach).all() or reach.max() <= 0:
        return None
    best, least = None, _LEFT * _error(channels, np.ones(len(reach)), weight, reads)
    for width in np.geomspace(reach.max(), max(float(np.median(reach)), reach.max() / _CAPS), _WIDTHS)[1:]:
        factors = np.maximum(reach / width, 1.0)
        error = _error(channels, factors, weight, reads)
        if error < least:
            best, least = factors, error
    return None if best is None else best.astype(np.float32)


def _error(
    channels: Channels, factors: npt.NDArray[np.float64], weight: Floats, reads: npt.NDArray[np.float64]
) -> float:
    """The squared error behind the product, of channels divided by `factors` and of weights multiplied by them."""
    low, high = (channels.lowest / factors).min(), (channels.highest / factors).max()
    of_channels = _rounding(float(high - min(low, 0.0)), reads * factors**2)
    steps = np.abs(weight * factors).max(axis=1) / _WEIGHT_LEVELS
    of_weights = float((steps**2).sum() / 12 * (channels.square / factors**2).sum())
    return of_channels + of_weights
