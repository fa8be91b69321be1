"""What spans and masks are worth, and what they cost: on `tests/data/spans.tsv`, with the worker's own parts.

    python -m bench.spans [--model NAME] [--smoke]

Quality: see `tests/support/span_figures.py`. Cost: the same texts in turns, asked plainly and with `explain`, as bulk;
once all harmless and once all flagged, because words are chosen for flagged texts alone. Engine time is what the passes
took; processor time is all that the process used, per text.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bundles.sources.resolver import resolve
from shared.options import NO_OPTIONS, VerdictOptions
from shared.settings import load_settings
from tests.support.span_figures import ASKED, measure_spans, read_marked
from worker.inference.classifier import Classifier
from worker.inference.engines.onnx import OnnxEngine
from worker.inference.tokenizer import BundleTokenizer
from worker.main import build_classifier

PLEASANT = Path(__file__).resolve().parents[1] / "tests" / "data" / "pleasant.txt"
WAYS = {"plain": NO_OPTIONS, "explain": VerdictOptions(explain=True), "explain and mask": ASKED}
SLICE = 32
PASS_WINDOWS = 16


@dataclass(frozen=True)
class Cost:
    """Microseconds a text: in the engine, and of the processor in all."""

    engine_us: float
    processor_us: float


def run(classifier: Classifier, texts: Sequence[str], options: VerdictOptions) -> Cost:
    engine_s = 0.0

    def note(_lengths: Sequence[int], elapsed_s: float) -> None:
        nonlocal engine_s
        engine_s += elapsed_s

    classifier.batcher.stats.on_pass = note
    started = time.process_time()
    for at in range(0, len(texts), SLICE):
        classifier.outcomes_in_order(texts[at : at + SLICE], options)
    processor_s = time.process_time() - started
    return Cost(engine_s / len(texts) * 1e6, processor_s / len(texts) * 1e6)


def compare(classifier: Classifier, texts: Sequence[str], rounds: int) -> dict[str, list[Cost]]:
    """The cost of each way, round by round; in every other round the other way round."""
    found: dict[str, list[Cost]] = {way: [] for way in WAYS}
    for number in range(rounds):
        for way in sorted(WAYS, reverse=number % 2 == 1):
            found[way].append(run(classifier, texts, WAYS[way]))
    return found


def show(name: str, costs: dict[str, list[Cost]]) -> None:
    sys.stdout.write(f"\n{name}: microseconds a text, min / median / max\n")
    for way, rounds in costs.items():
        cells = []
        for kind in ("engine_us", "processor_us"):
            values = [asdict(cost)[kind] for cost in rounds]
            plain = statistics.median(asdict(cost)[kind] for cost in costs["plain"])
            # No engine was asked where the cascade answered every text.
            ratio = f"{statistics.median(values) / plain:.3f}" if plain else "-"
            cells.append(f"{min(values):7.0f} / {statistics.median(values):6.0f} / {max(values):6.0f} ({ratio})")
        sys.stdout.write(f"  {way:<17} engine {cells[0]}   processor {cells[1]}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="default")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    classifier = build_classifier(load_settings(model=options.model))
    marked = read_marked()[:: 20 if options.smoke else 1]
    sys.stdout.write(f"{options.model}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}\n")
    for name, value in asdict(measure_spans(classifier, marked)).items():
        sys.stdout.write(f"  {name:<15} {value:.3f}\n" if isinstance(value, float) else f"  {name:<15} {value}\n")
    rounds = 1 if options.smoke else options.rounds
    harmless = PLEASANT.read_text(encoding="utf-8").split("\n")[: len(marked)]
    show("harmless texts", compare(classifier, [text for text in harmless if text.strip()], rounds))
    show("marked texts", compare(classifier, [sentence.text for sentence in marked], rounds))
    show_engine(options.model, [sentence.text for sentence in marked], rounds)
    classifier.batcher.close()


def show_engine(model: str, texts: Sequence[str], rounds: int) -> None:
    """Passes of the engine alone, on one thread, with the output that spans are read from and without."""
    bundle = resolve(load_settings(model=model))
    engine = OnnxEngine(bundle, 1)
    windows = [window for of_text in BundleTokenizer(bundle, 64).encode(texts) for window in of_text]
    windows.sort(key=len)
    ways: dict[str, Callable[[Sequence[Sequence[int]]], object]] = {"logits": engine.run}
    if engine.has_evidence:
        ways["logits and evidence"] = engine.run_with_evidence
    spent: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, ask in ways.items():
            started = time.process_time()
            for at in range(0, len(windows), PASS_WINDOWS):
                ask(windows[at : at + PASS_WINDOWS])
            spent[way].append((time.process_time() - started) / len(windows) * 1e6)
    sys.stdout.write(f"\nengine alone, passes of {PASS_WINDOWS}: processor microseconds a window, min / median / max\n")
    for way, values in spent.items():
        sys.stdout.write(f"  {way:<20}{min(values):7.0f} / {statistics.median(values):6.0f} / {max(values):6.0f}\n")


if __name__ == "__main__":
    main()
