"""How fast and how good a small int8 BERT is, by layers and width: what the embedded model was chosen by.

    python -m bench.model_frontier --out docs/research  # writes model-frontier.md and its plots
    python -m bench.model_frontier --out docs/research --speed-only  # no teacher needed, three minutes
    python -m bench.model_frontier --smoke --out build/frontier  # one small shape, seconds

Speed is of random weights, on which it does not depend, and of random tokens with lengths like those of comments,
sorted by length; every shape goes through the export that bundles go through. Scores are of students of several depths
that the teacher of `make model` taught, each for the same short while: they need its `build/model`.
"""

import argparse
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from tokenizers import Tokenizer
from transformers import BertConfig

from training.assess import calibrated, dev_logits
from training.data.prepare import Mixture
from training.learn.fit import FitPlan
from training.learn.network import CommentNetwork, new_encoder
from training.plan import FULL
from training.score.evaluate import score_teacher
from training.score.speed import Speed, measure_ids
from training.ship.bundle import GraphRunner
from training.ship.export import export_float
from training.ship.quantise import calibration_feeds, quantise
from training.stages import Student, distil, train_teacher
from training.workspace import Workspace

mpl.use("Agg")
ROOT = Path(__file__).resolve().parents[1]
BASE = ROOT.parent / "shared" / "models" / "e5-small-ko"
DATA = ROOT.parent / "shared" / "data"
SCORED_WIDTH = 384
TOKENIZER = ROOT / "models" / "default" / "tokenizer.json"
SCORED_LAYERS = (2, 3, 4, 6)
SCORED = FitPlan(epochs=1, learning_rate=2e-4)
SCORED_MIXTURE = Mixture(
    {
        "kmhas": 10_000,
        "beep": 7_000,
        "curse_detection": 4_300,
        "malicious_comments": 2_000,
        "unlabelled_comments": 8_000,
        "nsmc": 2_000,
        "hatescore": 1_500,
        "everyday_sentences": 2_500,
        "innocent": 500,
        "innocent_sentences": 1_500,
        "synthetic": 200,
    },
    noise_share=0.3,
)
SHAPES = ((2, 384), (3, 384), (4, 384), (5, 384), (6, 384), (12, 384), (2, 256), (4, 256), (6, 256))
LABELS = 9
MAX_LENGTH = 128
HEAD = """# Size against speed and score

Written by `python -m bench.model_frontier`. Speed: int8, random weights, {texts:,} texts of {tokens:.0f} tokens on
average, sorted by length, {threads} threads; texts a second, min / median / max of 5 runs. The share of the
machine that other work took is in the spread.

| layers | hidden | graph, MB | texts a second |
|---|---|---|---|
"""
SCORES_HEAD = """
## Score

Students of the teacher's first layers, int8, each distilled once over the same {rows:,} texts, a small part of
what the shipped one reads; so the figures compare depths, and lie below those of [model.md](../model.md). Dev splits,
thresholds chosen on them by the rules of the shipped one. The last line is the teacher.

| layers | {questions} | mean |
|---|{rules}---|
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


def measure_scores(work: Path) -> dict[int, dict[str, float]]:
    """The figure of each question by layers, the teacher's last; distils what is not in `work` yet."""
    space = Workspace(replace(FULL, bundles=("default",)), BASE, work, DATA)
    teacher = train_teacher(space)
    students = {
        layers: (name, distil(space, teacher, Student(name, layers, SCORED, SCORED_MIXTURE)))
        for layers, name in ((layers, f"frontier-{layers}") for layers in SCORED_LAYERS)
    }
    networks = students | {teacher.encoder.config.num_hidden_layers: ("teacher", teacher)}
    return {layers: _scores(space, name, network) for layers, (name, network) in networks.items()}


def _scores(space: Workspace, name: str, network: CommentNetwork) -> dict[str, float]:
    dev = dev_logits(space, name, network, int8=True)
    return score_teacher(calibrated(space, name, network, "default"), dev.logits, dev)


def scores_table(scores: dict[int, dict[str, float]]) -> str:
    """The scores as a Markdown table."""
    questions = list(next(iter(scores.values())))
    head = SCORES_HEAD.format(
        rows=sum(SCORED_MIXTURE.rows.values()), questions=" | ".join(questions), rules="---|" * len(questions)
    )
    rows = [
        f"| {layers} | {' | '.join(f'{found[name]:.3f}' for name in questions)} | {mean(found.values()):.3f} |"
        for layers, found in scores.items()
    ]
    return head + "\n".join(rows) + "\n\n![score by speed](model-frontier-scores.svg)\n"


def plot_scores(points: list[Point], scores: dict[int, dict[str, float]], path: Path) -> None:
    """Mean score against texts a second, a point a depth."""
    speeds = {point.layers: point.speed.median for point in points if point.width == SCORED_WIDTH}
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    line = [(speeds[layers], mean(found.values())) for layers, found in scores.items() if layers in speeds]
    axes.plot(*zip(*line, strict=True), marker="o")
    for layers, (speed, score) in zip(scores, line, strict=True):
        axes.annotate(f"{layers} layers", (speed, score), textcoords="offset points", xytext=(5, 5))
    axes.axvline(1_000, color="grey", linestyle=":")
    axes.set(xlabel="texts a second", ylabel="mean of the goals' figures on dev")
    figure.savefig(path, format="svg", metadata={"Date": None})


def main() -> None:
    """Measure every shape and write the tables and the plots."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "research")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "model", help="where make model left its teacher")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--speed-only", action="store_true", help="distil nothing; no scores")
    parser.add_argument("--smoke", action="store_true", help="one small shape, few texts, no scores")
    options = parser.parse_args()
    generator = np.random.default_rng(1)
    lengths = comment_lengths(64 if options.smoke else 2_000)
    ids = [generator.integers(5, 8_000, length).tolist() for length in lengths]
    options.out.mkdir(parents=True, exist_ok=True)
    scores = {} if options.smoke or options.speed_only else measure_scores(options.work)
    shapes = ((1, 64),) if options.smoke else SHAPES
    points = [measure(layers, width, ids, options.threads) for layers, width in shapes]
    plot(points, options.out / "model-frontier.svg")
    text = table(points)
    if scores:
        plot_scores(points, scores, options.out / "model-frontier-scores.svg")
        text += scores_table(scores)
    (options.out / "model-frontier.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
