"""The points as a table in Markdown, as JSON, and as a plot."""

import json
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import matplotlib as mpl

from bench.peers.contenders import CONTENDERS, OURS
from bench.peers.measure import CLOSED, OPEN, Point

mpl.use("Agg")
from matplotlib import pyplot as plt

_STYLES = ("tuned", "plain")


def write(points: Sequence[Point], folder: Path, head: str) -> None:
    """`peers.md`, `peers.json` and `peers.svg` in `folder`; `head` says what machine and command made them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "peers.json").write_text(json.dumps([asdict(point) for point in points], indent=0), encoding="utf-8")
    (folder / "peers.md").write_text(f"{head}\n{table(points)}", encoding="utf-8")
    plot(points, folder / "peers.svg")


def table(points: Sequence[Point]) -> str:
    """One table a load: min / median / max over the rounds, and the ratio to ours within a round."""
    return "\n".join(_of_load(load.name, points) for load in (*CLOSED, *OPEN) if _named(points, load.name))


def _named(points: Iterable[Point], load: str) -> list[Point]:
    return [point for point in points if point.load == load]


def _of_load(load: str, points: Sequence[Point]) -> str:
    own = {point.round: point for point in _named(points, load) if point.contender == OURS.name}
    lines = [
        f"## {load}\n",
        "| | style | texts/s | ours / theirs | p50, ms | p95, ms | p99, ms | processor, ms a text | MB | right |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for contender in CONTENDERS:
        for style in _STYLES:
            chosen = [p for p in _named(points, load) if (p.contender, p.style) == (contender.name, style)]
            if chosen:
                lines.append(_row(contender.name, style if contender.has_styles else "", chosen, own))
    return "\n".join(lines) + "\n"


def _row(name: str, style: str, chosen: Sequence[Point], own: dict[int, Point]) -> str:
    ratios = [own[p.round].texts_per_s / p.texts_per_s for p in chosen if p.round in own and p.texts_per_s]
    right = [point.right for point in chosen if point.right is not None]
    failed = sum(point.failed for point in chosen)
    cells = [
        f"**{name}**" if name == OURS.name else name,
        style,
        _spread(chosen, lambda p: p.texts_per_s, 0),
        _three(ratios, 2) if ratios and name != OURS.name else "",
        _spread(chosen, lambda p: p.p50_ms, 1),
        _spread(chosen, lambda p: p.p95_ms, 1),
        _spread(chosen, lambda p: p.p99_ms, 1),
        _spread(chosen, lambda p: p.cpu_ms, 2),
        f"{max(point.resident_mb for point in chosen):,.0f}",
        (f"{min(right):.1%}" if right else "not compared") + (f", {failed} failed" if failed else ""),
    ]
    return f"| {' | '.join(cells)} |"


def _spread(points: Sequence[Point], figure: Callable[[Point], float], digits: int) -> str:
    return _three([figure(point) for point in points], digits)


def _three(values: Sequence[float], digits: int) -> str:
    return " / ".join(f"{value:,.{digits}f}" for value in (min(values), statistics.median(values), max(values)))


def plot(points: Sequence[Point], path: Path) -> None:
    """Texts a second of each contender, tuned, with one text a request and with many."""
    loads = [name for name in ("64 clients", "4 x 64") if _named(points, name)]
    names = [c.name for c in CONTENDERS if any(p.contender == c.name for p in points)]
    figure, axes = plt.subplots(1, max(1, len(loads)), figsize=(9, 3.5), layout="constrained", squeeze=False)
    for axis, load in zip(axes[0], loads, strict=True):
        medians = {name: _median_of(points, load, name) for name in names}
        shown = sorted((name for name, value in medians.items() if value), key=lambda name: medians[name])
        colors = ["#b3261e" if name == OURS.name else "#8a8f98" for name in shown]
        axis.barh(shown, [medians[name] for name in shown], color=colors)
        axis.set(xlabel="texts a second, median", title=load)
    figure.savefig(path, format="svg", metadata={"Date": None})
    plt.close(figure)


def _median_of(points: Sequence[Point], load: str, name: str) -> float:
    values = [p.texts_per_s for p in _named(points, load) if p.contender == name and p.style == _STYLES[0]]
    return statistics.median(values) if values else 0.0
