"""The report's plots, as SVG."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl

from training.score.findings import Points

mpl.use("Agg")
from matplotlib import pyplot as plt

mpl.rcParams["svg.hashsalt"] = "kobert"  # the same findings give the same file


def plot_curves(curves: Mapping[str, Points], path: Path) -> None:
    """Share of each bad set that is found, against the share of harmless texts that is flagged with it."""
    figure, axes = plt.subplots(figsize=(7, 5), layout="constrained")
    for name, points in curves.items():
        flagged, found = zip(*sorted(points), strict=True)
        axes.plot(flagged, found, linewidth=1.5, label=_latin(name))
    axes.set(xlabel="harmless texts flagged", ylabel="bad texts found", xlim=(0, 0.5), ylim=(0, 1))
    axes.grid(visible=True, linewidth=0.3)
    axes.legend(loc="lower right")
    figure.savefig(path, format="svg", metadata={"Date": None})
    plt.close(figure)


def _latin(name: str) -> str:
    """Names for a plot whose font may have no Hangul."""
    return name.replace("혐오발언", "hate").replace("단순 악플", "malicious")
