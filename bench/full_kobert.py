"""A model of KoBERT-base's size end to end: beside its own engine, and beside the handler of the original service.

    python -m bench.full_kobert [--rounds N] [--texts N] [--without-original] [--write] [--smoke]

Makes the original's file (12 layers of 768, 8,002 tokens, random weights, linear layers rounded by torch), starts the
service on it twice; the first start converts it. Then, in turns: the engine alone, 64 clients of one text, 4 clients of
64 texts, and the original's handler in torch (float32, and rounded to int8), which reads one text at a time, padded to
64 tokens, with 8 clients. Figures are min / median / max over the rounds; ratios are taken within a round. `--write`
puts the table into docs/performance/kobert-base.md. 3 rounds of 512 texts take about 4 minutes.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench.load import predict_all
from bench.own_model import Start, start_once, warm_environment
from bench.pages import replace_section
from bench.peers.contenders import CONTENDERS
from bench.peers.service import Service
from bench.predict import EngineAlone, per_second, spread, texts
from shared.settings import load_settings
from tests.full_size.matrix_page import machine
from tests.full_size.models import FULL, MODELS, TINY, Scale
from tests.full_size.sources import Written, pt_of_skt
from tests.full_size.vocabularies import Vocabularies, read_comments
from tests.support.checkpoints import BERTClassifier, quantised
from tests.support.stack import Stack, memory_bytes

MIB = 1 << 20
ORIGINALS = {"fp32": "original-kobert-fp32", "int8": "original-kobert-int8"}
ORIGINAL_CLIENTS = 8
# Of the texts of a round: the original takes tens of milliseconds for each.
ORIGINAL_SHARE = 16
FORMS = {"float32": "fp32", "int8": "int8"}
HEADING = "# A model of KoBERT-base's size"


@dataclass(frozen=True)
class Memory:
    """What a process has to itself, in MiB; in `proportional` a page that two map counts half for each."""

    proportional: float
    private: float


@dataclass
class Figures:
    """What was measured, a value a round, by name."""

    per_s: dict[str, list[float]] = field(default_factory=dict)
    starts: list[Start] = field(default_factory=list)
    worker_peak_mib: float = 0.0
    two: dict[int, list[Memory]] = field(default_factory=dict)

    def add(self, name: str, per_s: float) -> None:
        self.per_s.setdefault(name, []).append(per_s)

    def ratio(self, name: str, to: str) -> str:
        """How many times `to` each round's `name` was."""
        return spread([mine / other for mine, other in zip(self.per_s[name], self.per_s[to], strict=True)], "x", 2)


def write_source(folder: Path, scale: Scale) -> Path:
    """The original's checkpoint with its vocabulary and its labels, as a user has them."""
    kind = MODELS["KoBERT"]
    comments = read_comments(None, scale.tokens)
    vocabulary = Vocabularies(folder / "vocabularies", comments, None).make(
        kind.vocabulary, min(kind.size, scale.vocabulary)
    )
    source = folder / "source"
    source.mkdir()
    write = pt_of_skt(lambda model: quantised(BERTClassifier(model)).state_dict())
    return write(Written(kind.make(scale, vocabulary), vocabulary, source, folder))


def measure(
    figures: Figures, stack: Stack, engine: EngineAlone, originals: Mapping[str, Service], batch: Sequence[str]
) -> None:
    """One round of all."""
    figures.add("engine", per_second(len(batch), lambda: engine.run(batch)))
    figures.add("64 x 1", served(stack.url, [[text] for text in batch], 64))
    figures.add("4 x 64", served(stack.url, [batch[at : at + 64] for at in range(0, len(batch), 64)], 4))
    for name, service in originals.items():
        few = batch[::ORIGINAL_SHARE]
        figures.add(name, served(service.url, [[text] for text in few], ORIGINAL_CLIENTS))


def memory_of_two(source: Path, data: Path) -> dict[int, list[Memory]]:
    """Two workers that share their weights (WORKERS=2), and two that do not, by `WORKERS`."""
    found = {}
    for workers in (1, 2):
        with tempfile.TemporaryDirectory(prefix="kt-") as folder:
            stack = Stack(Path(folder), str(source), data_dir=data, workers=workers, model_threads=1)
            try:
                stack.start(workers=2, worker_module="worker.main")
                served(stack.url, [texts(32, 32 * number) for number in range(4)], 4)
                found[workers] = [memory_of(worker.pid) for worker in stack.workers]
            finally:
                stack.stop()
    return found


def memory_of(pid: int) -> Memory:
    lines = dict(line.split(":") for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    return Memory(*(int(lines[name].split()[0]) / 1024 for name in ("Pss", "Private_Dirty")))


def served(url: str, requests: Sequence[Sequence[str]], clients: int) -> float:
    """Texts a second of `clients` that send `requests`."""
    return per_second(sum(map(len, requests)), lambda: asyncio.run(predict_all(url, requests, clients)))


def start_originals(closing: ExitStack, folder: Path) -> dict[str, Service]:
    """The original's handlers, started, each in its own process; idle until they are asked."""
    contenders = {contender.name: contender for contender in CONTENDERS}
    services = {}
    for name, contender in ORIGINALS.items():
        service = Service(contenders[contender], "plain", folder, folder)
        closing.callback(service.stop)
        service.start()
        services[name] = service
    return services


def run(folder: Path, scale: Scale, rounds: int, count: int, *, with_original: bool) -> Figures:
    source = write_source(folder, scale)
    figures = Figures()
    environment = warm_environment(folder, "http://127.0.0.1:1")
    figures.starts = [start_once(folder, environment, str(source)) for _ in range(2)]
    data = Path(environment["DATA_DIR"])
    engine = EngineAlone(load_settings(model=str(source), data_dir=data))
    with ExitStack() as closing:
        stack = Stack(folder, str(source), data_dir=data)
        closing.callback(stack.stop)
        stack.start(worker_module="worker.main")
        originals = start_originals(closing, folder) if with_original else {}
        measure(Figures(), stack, engine, originals, texts(64, 0))  # a first pass, a first guess of the speed
        for number in range(rounds):
            measure(figures, stack, engine, originals, texts(count, number * count))
        figures.worker_peak_mib = memory_bytes(stack.workers[0].pid, "VmHWM") / MIB
    figures.two = memory_of_two(source, data)
    return figures


def table(figures: Figures) -> str:
    lines = [
        ("engine alone, tokenising included", "engine"),
        ("4 clients, 64 texts a request", "4 x 64"),
        ("64 clients, one text a request", "64 x 1"),
        ("the original's handler, float32, 8 clients", "fp32"),
        ("the original's handler, int8, 8 clients", "int8"),
    ]
    rows = ["| | texts/s | of the engine |", "|---|---|---|"]
    rows += [
        f"| {said} | {spread(figures.per_s[name], '', 1).strip()} | {figures.ratio(name, 'engine')} |"
        for said, name in lines
        if name in figures.per_s
    ]
    if "fp32" in figures.per_s:
        rows += [
            "",
            "64 clients of one text, in texts a second of the original's handler: "
            + " and ".join(f"{figures.ratio('64 x 1', name)} in {said}" for said, name in FORMS.items()),
        ]
    first, second = figures.starts
    rows += [
        "",
        "| | first answer after | peak memory: conversion | API | worker |",
        "|---|---|---|---|---|",
        *(
            f"| {name} | {start.first_answer_s:.1f} s | {_mib(start, 'conversion')} | {_mib(start, 'API')} | "
            f"{_mib(start, 'worker')} |"
            for name, start in (("first start, which converts", first), ("second start", second))
        ),
        f"| under the load above | | | | {figures.worker_peak_mib:,.0f} MiB |",
        "",
        "| two workers | proportional memory of each (PSS) | private memory of each |",
        "|---|---|---|",
        *(
            f"| {said} | {_each(figures.two[workers], 'proportional')} | {_each(figures.two[workers], 'private')} |"
            for said, workers in (("each packs its weights", 1), ("`WORKERS=2`: they share them", 2))
        ),
    ]
    return "\n".join(rows)


def _each(workers: Sequence[Memory], name: str) -> str:
    return ", ".join(f"{getattr(worker, name):,.0f}" for worker in workers) + " MiB"


def _mib(start: Start, process: str) -> str:
    peak = start.peaks_mib[process]
    return f"{peak:,.0f} MiB" if peak else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--texts", type=int, default=512)
    parser.add_argument("--without-original", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    scale, rounds, count = (TINY, 1, 64) if options.smoke else (FULL, options.rounds, options.texts)
    with tempfile.TemporaryDirectory(prefix="kt-") as folder:
        figures = run(Path(folder), scale, rounds, count, with_original=not (options.smoke or options.without_original))
    sys.stdout.write(f"{table(figures)}\n")
    if options.write:
        command = " ".join(["python -m bench.full_kobert", *sys.argv[1:]])
        head = (
            f"Written by `{command}`, {machine()}: the original's file (112 MB, random weights), {rounds} rounds of "
            f"{count} texts in turns, minimum / median / maximum."
        )
        replace_section("performance/kobert-base.md", f"{HEADING}\n\n{head}\n\n{table(figures)}\n")


if __name__ == "__main__":
    main()
