"""How fast a small int8 BERT is, by layers and width: the speed side of the choice of the embedded model.

    python bench/model_frontier.py --out docs            # writes docs/model-frontier.md and .svg
    python bench/model_frontier.py --smoke --out build/frontier  # one small shape, seconds

Weights are random, because speed does not depend on them. Every shape goes through the export that bundles go through.
Texts are random tokens with lengths like those of comments, sorted by length.
"""

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from tokenizers import Tokenizer
from transformers import BertConfig

from training.bundle import GraphRunner
from training.export import export_float
from training.network import CommentNetwork, new_encoder
from training.quantise import calibration_feeds, quantise
from training.speed import Speed, measure_ids

mpl.use("Agg")
ROOT = Path(__file__).resolve().parents[1]
TOKENIZER = ROOT / "models" / "default" / "tokenizer.json"
SHAPES = ((2, 384), (3, 384), (4, 384), (5, 384), (6, 384), (12, 384), (2, 256), (4, 256), (6, 256))
LABELS = 9
MAX_LENGTH = 128
HEAD = """# Size against speed

Written by `python bench/model_frontier.py`: int8, random weights, {texts:,} texts of {tokens:.0f} tokens on
average, sorted by length, {threads} threads; texts a second, min / median / max of 5 runs. The share of the
machine that other work took is in the spread.

| layers | hidden | graph, MB | texts a second |
|---|---|---|---|
"""


@dataclass(frozen=True)
class Point:
    """One shape, its file and its speed."""

    layers: int
    width: int
    megabytes: float
    speed: Speed


def comment_lengths(count: int) -> list[int]:
    """Lengths in tokens, 22 on average, as the unlabelled comments have them."""
    generator = np.random.default_rng(0)
    return np.clip(generator.gamma(2.2, 10.0, count), 4, 100).astype(int).tolist()


def measure(layers: int, width: int, ids: list[list[int]], threads: int) -> Point:
    """Export a random network of this shape and time it."""
    config = BertConfig(
        vocab_size=8_102,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=width // 32,
        intermediate_size=4 * width,
        pad_token_id=1,
    )
    network = CommentNetwork(new_encoder(config), LABELS)
    with tempfile.TemporaryDirectory() as folder:
        float_path, path = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        export_float(network, float_path, max_length=MAX_LENGTH)
        quantise(float_path, path, calibration_feeds(ids, pad_id=1))
        tokenizer = Tokenizer.from_file(str(TOKENIZER))
        runner = GraphRunner(path, tokenizer, max_length=MAX_LENGTH, pad_id=1, threads=threads)
        return Point(layers, width, path.stat().st_size / 1e6, measure_ids(runner, ids, threads=threads))


def table(points: list[Point]) -> str:
    """The points as a Markdown table."""
    speed = points[0].speed
    head = HEAD.format(texts=speed.texts, tokens=speed.mean_tokens, threads=speed.threads)
    rows = [
        f"| {point.layers} | {point.width} | {point.megabytes:.1f} | "
        f"{point.speed.slowest:,.0f} / {point.speed.median:,.0f} / {point.speed.fastest:,.0f} |"
        for point in points
    ]
    return head + "\n".join(rows) + "\n\n![texts a second by layers](model-frontier.svg)\n"


def plot(points: list[Point], path: Path) -> None:
    """Texts a second by layers, a line a width."""
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    for width in sorted({point.width for point in points}):
        line = sorted((point.layers, point.speed.median) for point in points if point.width == width)
        axes.plot(*zip(*line, strict=True), marker="o", label=f"hidden {width}")
    axes.axhline(1_000, color="grey", linestyle=":")
    axes.set(xlabel="layers", ylabel="texts a second", ylim=(0, None))
    axes.legend()
    figure.savefig(path, format="svg", metadata={"Date": None})


def main() -> None:
    """Measure every shape and write the table and the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--smoke", action="store_true", help="one small shape, few texts")
    options = parser.parse_args()
    generator = np.random.default_rng(1)
    lengths = comment_lengths(64 if options.smoke else 2_000)
    ids = [generator.integers(5, 8_000, length).tolist() for length in lengths]
    shapes = ((1, 64),) if options.smoke else SHAPES
    points = [measure(layers, width, ids, options.threads) for layers, width in shapes]
    options.out.mkdir(parents=True, exist_ok=True)
    plot(points, options.out / "model-frontier.svg")
    (options.out / "model-frontier.md").write_text(table(points), encoding="utf-8")


if __name__ == "__main__":
    main()
