"""The points as a picture: texts a second of closed loads, and p99 of open arrivals against their load."""

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib as mpl

from bench.peers.contenders import CONTENDERS, ENGINE, OURS
from bench.peers.loads import ARRAYS, FULL, OPEN, Load, Point

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

_STYLE = "tuned"
_OUR_COLOR, _OTHER_COLOR, _ENGINE_COLOR = "#b3261e", "#8a8f98", "#3f6fb5"
# Without it, every picture of the same figures has other ids.
mpl.rcParams["svg.hashsalt"] = "peers"


def plot(runs: Sequence[Sequence[Point]], path: Path) -> None:
    """Medians over the rounds, of tuned peers; a load is taken from the first run that has it."""
    shown = [point for load in (FULL, ARRAYS, *OPEN) for point in _first_with(runs, load)]
    has_open = any(point.load == OPEN[0].name for point in shown)
    figure, axes = plt.subplots(1, 2 + has_open, figsize=(9 + 4 * has_open, 4), layout="constrained")
    for axis, load in zip(axes, (FULL, ARRAYS), strict=False):
        _bars(axis, shown, load)
    if has_open:
        _tails(axes[2], shown)
    figure.savefig(path, format="svg", metadata={"Date": None})
    plt.close(figure)


def _first_with(runs: Sequence[Sequence[Point]], load: Load) -> list[Point]:
    """The points of `load`, of the first run that has any, without plain peers."""
    found = ([point for point in run if point.load == load.name and point.style in {"", _STYLE}] for run in runs)
    return next(filter(None, found), [])


def _bars(axis: Axes, points: Sequence[Point], load: Load) -> None:
    names = [ENGINE, *(contender.name for contender in CONTENDERS)]
    medians = {name: value for name in names if (value := _median(points, name, load, lambda p: p.texts_per_s))}
    shown = sorted(medians, key=lambda name: medians[name])
    colors = [{OURS.name: _OUR_COLOR, ENGINE: _ENGINE_COLOR}.get(name, _OTHER_COLOR) for name in shown]
    bars = axis.barh(shown, [medians[name] for name in shown], color=colors)
    axis.bar_label(bars, fmt="{:,.0f}", padding=2, fontsize=8)
    axis.set(xlabel="texts a second, median", title=load.name)
    axis.margins(x=0.15)


def _tails(axis: Axes, points: Sequence[Point]) -> None:
    for contender in CONTENDERS:
        values = [(load.share, _median(points, contender.name, load, lambda p: p.p99_ms)) for load in OPEN]
        known = [(100 * share, value) for share, value in values if value]
        if known:
            is_own = contender is OURS
            style = {"color": _OUR_COLOR, "linewidth": 2.5, "zorder": 3} if is_own else {"linewidth": 1}
            axis.plot(*zip(*known, strict=True), marker="o", markersize=3, label=contender.name, **style)
    axis.set(xlabel="load, % of its own capacity", ylabel="p99, ms", yscale="log", title="arrivals at random times")
    axis.legend(fontsize=7)


def _median(points: Sequence[Point], name: str, load: Load, figure: Callable[[Point], float]) -> float:
    values = [figure(point) for point in points if (point.contender, point.load) == (name, load.name)]
    return statistics.median(values) if values else 0.0
