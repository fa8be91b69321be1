"""How much the service adds to its model: `/predict` end to end against the same engine alone, in one run, alternating.

    python -m bench.predict                  the embedded model
    python -m bench.predict --model FOLDER   another bundle
    python -m bench.predict --smoke          a few seconds, to show that it runs

Prints, as min / median / max over the rounds: texts a second of the engine alone (texts sorted by length, in batches
closed by the same token budget), of 64 clients with one text a request, of 4 clients with 64 texts a request, and their
ratio to the engine alone; the p50 of a lone request on an idle system, and the engine's time for the same text.
"""

import argparse
import asyncio
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench.load import Connection, predict_all
from bundles.sources.resolver import resolve
from shared.processors import available_cpus
from shared.settings import Settings, load_settings
from tests.support.stack import Stack
from worker.inference.engines.onnx import OnnxEngine
from worker.inference.tokenizer import BundleTokenizer

COMMENTS = Path(__file__).with_name("comments.txt").read_text().splitlines()
LONE_PAUSE_S = 0.01


def texts(count: int, start: int) -> list[str]:
    """Different texts of the lengths that comments have."""
    source = itertools.islice(itertools.cycle(COMMENTS), count)
    return [f"{comment} {number}" for number, comment in enumerate(source, start)]


class EngineAlone:
    """The offline upper bound: no queue, no HTTP, tokenising included."""

    def __init__(self, settings: Settings) -> None:
        bundle = resolve(settings)
        self._engine = OnnxEngine(bundle, settings.inference_threads())
        self._tokenizer = BundleTokenizer(bundle, settings.max_windows)
        self._max_batch_tokens = settings.max_batch_tokens

    def run(self, batch: Sequence[str]) -> None:
        rows = sorted((window for windows in self._tokenizer.encode(batch) for window in windows), key=len)
        for group in self._batches(rows):
            self._engine.run(group)

    def _batches(self, rows: Sequence[Sequence[int]]) -> Iterator[list[Sequence[int]]]:
        group: list[Sequence[int]] = []
        for row in rows:
            if group and len(row) * (len(group) + 1) > self._max_batch_tokens:
                yield group
                group = []
            group.append(row)
        if group:
            yield group


def per_second(count: int, action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return count / (time.perf_counter() - started)


async def lone(url: str, engine: EngineAlone, batch: Sequence[str]) -> tuple[float, float]:
    """p50 in seconds of a lone request, and of the engine alone, on the same texts."""
    served, alone = [], []
    async with Connection(url) as connection:
        for text in batch:
            started = time.perf_counter()
            await connection.post("/predict", {"text": text})
            served.append(time.perf_counter() - started)
            started = time.perf_counter()
            engine.run([text])
            alone.append(time.perf_counter() - started)
            await asyncio.sleep(LONE_PAUSE_S)
    return statistics.median(served), statistics.median(alone)


def spread(values: Sequence[float], unit: str, digits: int = 0) -> str:
    figures = (min(values), statistics.median(values), max(values))
    return " / ".join(f"{figure:,.{digits}f}" for figure in figures) + f" {unit}"


def measure(stack: Stack, engine: EngineAlone, rounds: int, count: int) -> None:
    alone, single, many, served_s, engine_s = [], [], [], [], []
    for number in range(rounds):
        batch = texts(count, number * count)
        alone.append(per_second(count, lambda batch=batch: engine.run(batch)))
        ones = [[text] for text in batch]
        single.append(per_second(count, lambda ones=ones: asyncio.run(predict_all(stack.url, ones, 64))))
        groups = [batch[i : i + 64] for i in range(0, count, 64)]
        many.append(per_second(count, lambda groups=groups: asyncio.run(predict_all(stack.url, groups, 4))))
        lone_s = asyncio.run(lone(stack.url, engine, batch[:50]))
        served_s.append(lone_s[0])
        engine_s.append(lone_s[1])
    ratios = [served / offline for served, offline in zip(many, alone, strict=True)]
    sys.stdout.write(
        f"{rounds} rounds of {count} texts on {available_cpus()} processors (min / median / max)\n"
        f"engine alone                       {spread(alone, 'texts/s')}\n"
        f"64 clients, one text a request     {spread(single, 'texts/s')}\n"
        f"4 clients, 64 texts a request      {spread(many, 'texts/s')}\n"
        f"  of the engine alone              {spread(ratios, 'x', 2)}\n"
        f"lone request, p50                  {spread([s * 1000 for s in served_s], 'ms', 1)}\n"
        f"the same text, engine alone, p50   {spread([s * 1000 for s in engine_s], 'ms', 1)}\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="default")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--texts", type=int, default=2000)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    rounds, count = (1, 128) if options.smoke else (options.rounds, options.texts)
    with tempfile.TemporaryDirectory(prefix="kt-") as folder:
        stack = Stack(Path(folder), options.model)
        try:
            stack.start(worker_module="worker.main")
            measure(stack, EngineAlone(load_settings(model=options.model)), rounds, count)
        finally:
            stack.stop()


if __name__ == "__main__":
    main()
