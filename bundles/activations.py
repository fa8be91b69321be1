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

_LEVELS = 255
_BINS = 2_048
_SHARES = np.linspace(0.15, 1.0, 35)


@dataclass(frozen=True)
class Scale:
    """An activation `x` is stored as `round(x / step) + zero`, an uint8."""

    step: float
    zero: int


def measure_scales(run: RunGraph, names: Sequence[str], batches: Sequence[Feeds]) -> dict[str, Scale]:
    """The scale of each named activation that costs it the least squared error on the given batches."""
    lowest, highest = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)
    for batch in batches:
        for name, values in zip(names, run(names, batch), strict=True):
            lowest[name] = min(lowest[name], float(values.min()))
            highest[name] = max(highest[name], float(values.max()))
    counts = {name: np.zeros(_BINS) for name in names}
    for batch in batches:
        for name, values in zip(names, run(names, batch), strict=True):
            counts[name] += np.histogram(values, _BINS, (lowest[name], highest[name]))[0]
    return {name: best_scale(counts[name], lowest[name], highest[name]) for name in names}


def best_scale(counts: npt.NDArray[np.float64], lowest: float, highest: float) -> Scale:
    """The scale with the least squared error for values with this histogram: what it cuts off, and what it rounds."""
    edges = np.linspace(lowest, highest, len(counts) + 1)
    centres = (edges[:-1] + edges[1:]) / 2
    best, least = (lowest, highest), np.inf
    for low in lowest * _SHARES:
        for high in highest * _SHARES:
            cut = (centres - np.clip(centres, low, high)) ** 2
            error = float((counts * cut).sum() + counts.sum() * ((high - low) / _LEVELS) ** 2 / 12)
            if error < least:
                best, least = (float(low), float(high)), error
    step = max((best[1] - best[0]) / _LEVELS, 1e-8)
    return Scale(step, int(np.clip(round(-best[0] / step), 0, _LEVELS)))
