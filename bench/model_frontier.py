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

from training.assess import Candidate, calibrated, graphs, judged_sets
from training.data.prepare import Mixture
from training.data.sets import dev_sets
from training.data.signals import SERVED
from training.learn.fit import FitPlan
from training.learn.network import CommentNetwork, keep_layers, new_encoder
from training.plan import FULL
from training.score.evaluate import flags_by_set, question_scores
from training.score.speed import Speed, measure_ids
from training.ship.bundle import GraphRunner
from training.ship.export import export_float
from training.ship.quantise import calibration_feeds, quantise
from training.stages import distil, teacher_lessons, train_teacher
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
        "unlabelled_comments": 6_000,
        "nsmc": 3_000,
        "hatescore": 2_000,
        "kda": 4_000,
        "kosbi": 2_000,
        "headlines": 800,
        "square_questions": 1_500,
        "everyday_sentences": 2_500,
        "cursed": 2_000,
        "innocent": 500,
        "innocent_sentences": 1_500,
        "synthetic": 200,
    },
    noise_share=0.3,
    padded_share=0.2,
    family_rows=200,
)
MAX_TOKENS = 128  # so that no random text is cut
SHAPES = ((2, 384), (3, 384), (4, 384), (5, 384), (6, 384), (12, 384), (2, 256), (4, 256), (6, 256))
HEAD = """# Size against speed and score

Written by `python -m bench.model_frontier`. Speed: int8, random weights, {texts:,} texts of {tokens:.0f} tokens on
average, sorted by length, {threads} threads; texts a second, min / median / max of 5 runs. The share of the
machine that other work took is in the spread.

| layers | hidden | graph, MB | texts a second |
|---|---|---|---|
"""
SCORES_HEAD = """
## Score

Students of the teacher's first layers, int8, each distilled once over the same {rows:,} texts and sentences of
the families, a small part of what the shipped one reads; so the figures compare depths, and lie below those of
[model.md](../model.md). Macro-F1 on dev rows, thresholds chosen on them by the rules of the shipped one. The last
line is the teacher.

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
    network = CommentNetwork(new_encoder(config), len(SERVED), FULL.window_tokens)
    with tempfile.TemporaryDirectory() as folder:
        float_path, path = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        export_float(network, float_path, max_length=MAX_TOKENS)
        quantise(float_path, path, calibration_feeds(ids, pad_id=1))
        tokenizer = Tokenizer.from_file(str(TOKENIZER))
        runner = GraphRunner(path, tokenizer, max_length=MAX_TOKENS, pad_id=1, threads=threads)
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
    teacher, lessons = train_teacher(space), teacher_lessons(space)
    candidates = {}
    for layers in SCORED_LAYERS:
        name, encoder = f"frontier-{layers}", keep_layers(teacher.encoder, range(layers))
        student = distil(space, name, encoder, SCORED, lessons.epochs(space, SCORED_MIXTURE))
        candidates[layers] = Candidate(name, "default", student)
    candidates[teacher.encoder.config.num_hidden_layers] = Candidate("teacher", "default", teacher)
    return {layers: _scores(space, candidate) for layers, candidate in candidates.items()}


def _scores(space: Workspace, candidate: Candidate) -> dict[str, float]:
    taxonomy = calibrated(space, candidate)
    runner = space.runner(graphs(space, candidate)[1])
    judged = judged_sets(space, candidate.trained_as, runner, dev_sets(space.dev))
    return {name: counts.macro_f1 for name, counts in question_scores(flags_by_set(judged, taxonomy)).items()}


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
    axes.set(xlabel="texts a second", ylabel="mean macro-F1 on dev")
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
