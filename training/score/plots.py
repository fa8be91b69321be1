"""The report's plots, as SVG: calibration of each label, and precision and recall beside it."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from training.score.findings import BundleFindings, Curve

mpl.use("Agg")
from matplotlib import pyplot as plt

mpl.rcParams["svg.hashsalt"] = "kobert"  # the same findings give the same file


def plot_calibration(curves: Mapping[str, Curve], path: Path) -> None:
    """Observed rate against mean score, a line a label, the size of a point its share of texts."""
    figure, axes = plt.subplots(figsize=(5, 5), layout="constrained")
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", linewidth=1)
    for name, curve in curves.items():
        scores, rates, shares = zip(*curve, strict=True)
        axes.plot(scores, rates, linewidth=1, label=name)
        axes.scatter(scores, rates, s=[20 + 200 * share for share in shares])
    axes.set(xlabel="score", ylabel="share that is so", xlim=(0, 1), ylim=(0, 1))
    axes.legend()
    _save(figure, path)


def plot_labels(bundle: BundleFindings, path: Path) -> None:
    """Precision, recall and F1 of each label at its threshold."""
    names = [label.name for label in bundle.labels]
    figure, axes = plt.subplots(figsize=(7, 0.45 * len(names) + 1.2), layout="constrained")
    for offset, metric in enumerate(("precision", "recall", "f1")):
        values = [float(getattr(label.counts, metric)) for label in bundle.labels]
        axes.barh([index + 0.26 * offset for index in range(len(names))], values, height=0.24, label=metric)
    axes.set_yticks([index + 0.26 for index in range(len(names))], names)
    axes.invert_yaxis()
    axes.set(xlim=(0, 1))
    axes.legend(loc="lower left")
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, format="svg", metadata={"Date": None})
    plt.close(figure)
