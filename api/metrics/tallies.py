"""Counters and histograms of which a request changes plain numbers. They become metric families when they are read.

The library's own take a lock for each number, look for their labels in a dictionary under another, and go through the
buckets one by one: for a request with one text that cost as much as reading its head.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class Tally(Collector):
    """A counter with labels. Not thread-safe: it belongs to the event loop."""

    def __init__(self, name: str, description: str, labels: Sequence[str]) -> None:
        self._head = (name, description)
        self._labels = tuple(labels)
        self._counts: dict[tuple[object, ...], int] = {}

    def add(self, *values: object) -> None:
        """Count one; `values` are those of the labels."""
        self._counts[values] = self._counts.get(values, 0) + 1

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Its one family."""
        family = CounterMetricFamily(*self._head, labels=self._labels)
        for values, count in self._counts.items():
            family.add_metric(tuple(map(str, values)), count)
        yield family


class Times(Collector):
    """A histogram of seconds with one label. Not thread-safe: it belongs to the event loop."""

    def __init__(self, name: str, description: str, label: str, bounds_s: Sequence[float]) -> None:
        self._head = (name, description)
        self._label = label
        self._bounds_s = tuple(bounds_s)
        self._counts: dict[str, list[int]] = {}
        self._sums_s: dict[str, float] = {}

    def add(self, value: str, seconds: float) -> None:
        """Count one duration; `value` is that of the label."""
        counts = self._counts.get(value)
        if counts is None:
            counts = self._counts[value] = [0] * (len(self._bounds_s) + 1)
            self._sums_s[value] = 0.0
        counts[bisect_left(self._bounds_s, seconds)] += 1
        self._sums_s[value] += seconds

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Its one family."""
        family = HistogramMetricFamily(*self._head, labels=(self._label,))
        names = [*map(floatToGoString, self._bounds_s), "+Inf"]
        for value, counts in self._counts.items():
            buckets = list(zip(names, map(float, accumulate(counts)), strict=True))
            family.add_metric((value,), buckets, self._sums_s[value])
        yield family
