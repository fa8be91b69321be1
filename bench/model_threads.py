"""How to use several processors for the passes of the model: where `MODEL_THREADS` and `PASS_THREADS` come from.

    python -m bench.model_threads [--model NAME] [--graph FILE] [--rounds N] [--smoke]

Compares, in turns, one pass after the other on all processors with as many passes at a time, on a session that uses one
thread for a pass and on one that uses all. Prints texts a second and the processor time of a text, as min / median /
max over the rounds, and the p50 of a lone text. Token ids are random; `--graph` names any graph of a BERT.
"""

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import onnxruntime

from bench.predict import spread
from bundles.session import session_options
from bundles.sources.resolver import resolve
from shared.processors import available_cpus
from shared.settings import load_settings
from worker.inference.engines.onnx import pad

LENGTHS = (8, 40)
LONE_TOKENS = 22
FIRST_ID, LAST_ID = 5, 7_000


class Scheme:
    """`at_a_time` passes at a time, each on `threads` threads."""

    def __init__(self, graph: Path, at_a_time: int, threads: int) -> None:
        self.name = f"{at_a_time} at a time, {threads} thread(s) each"
        self._callers = ThreadPoolExecutor(at_a_time)
        self._session = onnxruntime.InferenceSession(
            str(graph), session_options(threads), providers=["CPUExecutionProvider"]
        )
        self._inputs = [value.name for value in self._session.get_inputs()]
        self._output = self._session.get_outputs()[0].name
        self._options = onnxruntime.RunOptions()
        self._options.only_execute_path_to_fetches = True
        self.texts_per_s: list[float] = []
        self.processor_ms: list[float] = []
        self.lone_ms: list[float] = []

    def run(self, rows: Sequence[Sequence[int]]) -> None:
        """One pass."""
        self._session.run([self._output], pad(rows, 1, self._inputs), self._options)

    def measure(self, passes: Sequence[Sequence[Sequence[int]]], lone: Sequence[int], lone_passes: int) -> None:
        """One round."""
        texts = sum(map(len, passes))
        processor_s = time.process_time()
        seconds = seconds_of(lambda: list(self._callers.map(self.run, passes)))
        self.processor_ms.append(1000 * (time.process_time() - processor_s) / texts)
        self.texts_per_s.append(texts / seconds)
        self.lone_ms.append(1000 * statistics.median(seconds_of(lambda: self.run([lone])) for _ in range(lone_passes)))


def seconds_of(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def passes_of(rows: Sequence[Sequence[int]], max_tokens: int) -> list[list[Sequence[int]]]:
    """The rows by length, in passes closed by tokens."""
    passes: list[list[Sequence[int]]] = [[]]
    for row in sorted(rows, key=len):
        if passes[-1] and len(row) * (len(passes[-1]) + 1) > max_tokens:
            passes.append([])
        passes[-1].append(row)
    return passes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="default")
    parser.add_argument("--graph", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--texts", type=int, default=400)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    rounds, count = (1, 16) if options.smoke else (options.rounds, options.texts)
    settings = load_settings(model=options.model)
    graph = options.graph or resolve(settings).model_path
    dice = random.Random(1)
    rows = [[dice.randint(FIRST_ID, LAST_ID) for _ in range(dice.randint(*LENGTHS))] for _ in range(count)]
    passes = passes_of(rows, settings.max_batch_tokens)
    cpus = available_cpus()
    schemes = [Scheme(graph, *shape) for shape in dict.fromkeys([(1, 1), (1, cpus), (cpus, 1), (cpus, cpus)])]
    for _ in range(rounds):
        for scheme in schemes:
            scheme.measure(passes, rows[0][:1] * LONE_TOKENS, 3 if options.smoke else 9)
    sys.stdout.write(f"{rounds} rounds of {count} texts in {len(passes)} passes on {cpus} processors\n")
    for scheme in schemes:
        sys.stdout.write(
            f"{scheme.name:<32} {spread(scheme.texts_per_s, 'texts/s')}, "
            f"{spread(scheme.processor_ms, 'ms', 2)} a text, lone text {spread(scheme.lone_ms, 'ms', 1)}\n"
        )


if __name__ == "__main__":
    main()
