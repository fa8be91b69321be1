"""How much the service adds to its model: `/predict` end to end against the same engine alone, in one run, alternating.

    python -m bench.predict                  the embedded model
    python -m bench.predict --model FOLDER   another bundle
    python -m bench.predict --beside FOLDER  another checkout of this project, in turns with this one
    python -m bench.predict --smoke          a few seconds, to show that it runs

Prints, as min / median / max over the rounds: texts a second of the engine alone (texts sorted by length, in batches
closed by the same token budget), of 64 clients with one text a request (and the processor time of a text, by process),
of 4 clients with 64 texts a request, and their ratio to the engine alone; the p50 of a lone request on an idle system,
and the engine's time for the same text.
"""

import argparse
import asyncio
import contextlib
import itertools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from bench.load import Connection, predict_all
from bundles.sources.resolver import resolve
from shared.processors import available_cpus
from shared.settings import Settings, load_settings
from tests.support.stack import ROOT, Stack
from worker.inference.engines.onnx import OnnxEngine
from worker.inference.tokenizer import BundleTokenizer

COMMENTS = Path(__file__).with_name("comments.txt").read_text().splitlines()
LONE_PAUSE_S = 0.01


def texts(count: int, start: int) -> list[str]:
    """Different texts of the lengths that comments have."""
    source = itertools.islice(itertools.cycle(COMMENTS), count)
    return [f"{comment} {number}" for number, comment in enumerate(source, start)]


class EngineAlone:
    """The offline upper bound: no queue, no HTTP, tokenising included; as many passes at a time as a worker runs."""

    def __init__(self, settings: Settings) -> None:
        bundle = resolve(settings)
        self._engine = OnnxEngine(bundle, settings.pass_threads)
        self._passes = ThreadPoolExecutor(settings.inference_threads())
        self._tokenizer = BundleTokenizer(bundle, settings.max_windows)
        self._max_batch_tokens = settings.max_batch_tokens

    def run(self, batch: Sequence[str]) -> None:
        rows = sorted((window for windows in self._tokenizer.encode(batch) for window in windows), key=len)
        list(self._passes.map(self._engine.run, self._batches(rows)))

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


class Side:
    """One service that is measured, and its figures of each round."""

    def __init__(self, name: str, stack: Stack) -> None:
        self.name = name
        self.stack = stack
        self.single: list[float] = []
        self.many: list[float] = []
        self.ratios: list[float] = []
        self.lone_ms: list[float] = []
        self.processor_ms: dict[str, list[float]] = {"api": [], "worker": [], "store": []}

    def run(self, batch: Sequence[str], engine: EngineAlone, alone_per_s: float) -> float:
        """Measure one round; returns the engine's p50 in seconds."""
        before = self._processor_s()
        self.single.append(self._texts_per_s([[text] for text in batch], clients=64))
        for name, seconds in self._processor_s().items():
            self.processor_ms[name].append(1000 * (seconds - before[name]) / len(batch))
        self.many.append(self._texts_per_s([batch[i : i + 64] for i in range(0, len(batch), 64)], clients=4))
        self.ratios.append(self.many[-1] / alone_per_s)
        served_s, engine_s = asyncio.run(lone(self.stack.url, engine, batch[:50]))
        self.lone_ms.append(1000 * served_s)
        return engine_s

    def report(self) -> str:
        processor = ", ".join(f"{name} {spread(values, 'ms', 2)}" for name, values in self.processor_ms.items())
        return (
            f"{self.name}\n"
            f"  64 clients, one text a request   {spread(self.single, 'texts/s')}\n"
            f"    processor time of a text       {processor}\n"
            f"  4 clients, 64 texts a request    {spread(self.many, 'texts/s')}\n"
            f"    of the engine alone            {spread(self.ratios, 'x', 2)}\n"
            f"  lone request, p50                {spread(self.lone_ms, 'ms', 1)}\n"
        )

    def _texts_per_s(self, requests: Sequence[Sequence[str]], clients: int) -> float:
        count = sum(map(len, requests))
        return per_second(count, lambda: asyncio.run(predict_all(self.stack.url, requests, clients)))

    def _processor_s(self) -> dict[str, float]:
        parts = {"api": self.stack.api, "worker": self.stack.workers[0], "store": self.stack.store}
        return {name: processor_seconds(part.pid) for name, part in parts.items()}


def processor_seconds(pid: int) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(sides: Sequence[Side], engine: EngineAlone, rounds: int, count: int) -> None:
    alone, engine_ms = [], []
    for number in range(rounds):
        batch = texts(count, number * count)
        alone.append(per_second(count, partial(engine.run, batch)))
        engine_ms += [1000 * side.run(batch, engine, alone[-1]) for side in sides]
    sys.stdout.write(
        f"{rounds} rounds of {count} texts on {available_cpus()} processors (min / median / max)\n"
        f"engine alone                       {spread(alone, 'texts/s')}\n"
        f"  a text of a lone request, p50    {spread(engine_ms, 'ms', 1)}\n"
    )
    for side in sides:
        sys.stdout.write(side.report())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="default")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--texts", type=int, default=2000)
    parser.add_argument("--beside", type=Path, action="append", default=[], metavar="FOLDER")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    rounds, count = (1, 128) if options.smoke else (options.rounds, options.texts)
    checkouts = [*map(Path.resolve, options.beside), ROOT]
    with contextlib.ExitStack() as closing:
        sides = []
        for checkout in checkouts:
            folder = closing.enter_context(tempfile.TemporaryDirectory(prefix="kt-"))
            stack = Stack(Path(folder), options.model, checkout=checkout)
            closing.callback(stack.stop)
            sides.append(Side(checkout.name, stack.start(worker_module="worker.main")))
        measure(sides, EngineAlone(load_settings(model=options.model)), rounds, count)


if __name__ == "__main__":
    main()
