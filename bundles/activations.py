"""The scales at which activations are rounded to 8 bits, chosen once from values that were measured.

Fixed scales make a text's score the same whatever batch it is in, and let a scale leave out the rare values that would
cost the common ones their precision.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Feeds = Mapping[str, npt.NDArray[np.int64]]
Values = npt.NDArray[np.float32]
# Runs a float graph on a batch and returns the named activations, in their order.
RunGraph = Callable[[Sequence[str], Feeds], Sequence[Values]]

LEVELS = 255
_BINS = 2_048
_SHARES = np.linspace(0.15, 1.0, 35)


@dataclass(frozen=True)
class Scale:
    """An activation `x` is stored as `round(x / step) + zero`, an uint8."""

    step: float
    zero: int


@dataclass(frozen=True)
class Channels:
    """What each channel of an activation said on texts, `[channels]` each: its bounds, mean and mean square."""

    lowest: npt.NDArray[np.float64]
    highest: npt.NDArray[np.float64]
    mean: npt.NDArray[np.float64]
    square: npt.NDArray[np.float64]


def measure_channels(run: RunGraph, names: Sequence[str], batches: Sequence[Feeds]) -> dict[str, Channels]:
    """What the channels of each named activation say on the given batches.

    Channels are the last axis; where that is another in each batch (the texts' length), the activation is one channel.
    """
    found: dict[str, list[Channels]] = {name: [] for name in names}
    for batch in batches:
        for name, values in zip(names, run(names, batch), strict=True):
            found[name].append(_channels_of(values.reshape(-1, values.shape[-1])))
    tokens = np.array([batch["input_ids"].size for batch in batches], dtype=np.float64)
    return {name: _together(parts, tokens / tokens.sum()) for name, parts in found.items()}


def _channels_of(rows: Values) -> Channels:
    mean, square = rows.mean(axis=0, dtype=np.float64), np.square(rows).mean(axis=0, dtype=np.float64)
    return Channels(rows.min(axis=0).astype(np.float64), rows.max(axis=0).astype(np.float64), mean, square)


def _together(parts: Sequence[Channels], shares: npt.NDArray[np.float64]) -> Channels:
    if len({part.mean.size for part in parts}) > 1:
        parts = [Channels(*(np.atleast_1d(values) for values in _whole(part))) for part in parts]
    return Channels(
        np.min([part.lowest for part in parts], axis=0),
        np.max([part.highest for part in parts], axis=0),
        shares @ np.array([part.mean for part in parts]),
        shares @ np.array([part.square for part in parts]),
    )


def _whole(part: Channels) -> Sequence[np.float64]:
    return part.lowest.min(), part.highest.max(), part.mean.mean(), part.square.mean()


def measure_scales(
    run: RunGraph,
    measured: Mapping[str, Channels],
    batches: Sequence[Feeds],
    factors: Mapping[str, Values] | None = None,
) -> dict[str, Scale]:
    """The scale of each `measured` activation that costs it the least squared error on the given batches.

    Those with `factors` are rounded after their channels were divided by these.
    """
    by = {name: (factors or {}).get(name, np.float32(1)) for name in measured}
    lowest = {name: min(0.0, float((channels.lowest / by[name]).min())) for name, channels in measured.items()}
    highest = {name: max(0.0, float((channels.highest / by[name]).max())) for name, channels in measured.items()}
    counts = {name: np.zeros(_BINS) for name in measured}
    for batch in batches:
        for name, values in zip(measured, run(list(measured), batch), strict=True):
            counts[name] += np.histogram(values / by[name], _BINS, (lowest[name], highest[name]))[0]
    return {name: best_scale(counts[name], lowest[name], highest[name]) for name in measured}


def best_scale(counts: npt.NDArray[np.float64], lowest: float, highest: float) -> Scale:
    """The scale with the least squared error for values with this histogram: what it cuts off, and what it rounds."""
    edges = np.linspace(lowest, highest, len(counts) + 1)
    centres = (edges[:-1] + edges[1:]) / 2
    best, least = (lowest, highest), np.inf
    for low in lowest * _SHARES:
        for high in highest * _SHARES:
            cut = (centres - np.clip(centres, low, high)) ** 2
            error = float((counts * cut).sum() + counts.sum() * ((high - low) / LEVELS) ** 2 / 12)
            if error < least:
                best, least = (float(low), float(high)), error
    step = max((best[1] - best[0]) / LEVELS, 1e-8)
    return Scale(step, int(np.clip(round(-best[0] / step), 0, LEVELS)))
