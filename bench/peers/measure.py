"""Rounds in turns: each contender under each load, what it did, what it cost, and whether its answers are right."""

import json
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.peers.contenders import CONTENDERS, Contender
from bench.peers.load import Sample, closed_loop, open_arrivals, request_bytes
from bench.peers.service import Service
from bench.predict import texts
from bundles.sources.resolver import resolve
from shared.settings import load_settings
from worker.inference.engines.onnx import OnnxEngine
from worker.inference.tokenizer import BundleTokenizer
from worker.inference.verdict import Judge

MANY = 64
TEXTS = 3_000
_RIGHT = 0.97  # of the answers that are compared


@dataclass(frozen=True)
class Load:
    """One shape of load: closed with so many `clients` of `texts` each, or open at `share` of the capacity."""

    name: str
    clients: int = 0
    texts: int = 1
    share: float = 0.0


CLOSED = (
    Load("1 client", 1),
    Load("8 clients", 8),
    Load("64 clients", 64),
    Load("256 clients", 256),
    Load("4 x 64", 4, MANY),
)
OPEN = tuple(Load(f"{share:.0%} of capacity", share=share) for share in (0.25, 0.5, 0.75, 0.9))


@dataclass(frozen=True)
class Point:
    """One measured run. Latencies in ms; `cpu_ms` is the processor time of all its processes for a text."""

    contender: str
    style: str
    load: str
    round: int
    texts_per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cpu_ms: float
    client_cpu_share: float
    resident_mb: float
    failed: int
    right: float | None


class Comparison:
    """Measures `contenders` in `styles`. Each service is started for its part of a round and stopped after it."""

    def __init__(self, data: Path, logs: Path, seconds: float, loads: Sequence[Load]) -> None:
        self._data = data
        self._logs = logs
        self._seconds = seconds
        self._loads = loads
        self._texts = texts(TEXTS, 0)
        self._expected = expected_words(self._texts)

    def round(self, number: int, contender: Contender, style: str) -> Iterator[Point]:
        """One service's points of one round, closed loads first: its capacity sets the open ones."""
        service = Service(contender, style, self._data, self._logs)
        try:
            service.start()
            capacity = 0.0
            for load in self._loads:
                if load.clients > contender.most_clients or (load.texts > 1 and not contender.takes_many):
                    continue
                if load.share and not capacity:
                    continue
                point = self._measure(service, load, number, capacity)
                if load.clients and load.texts == 1:
                    capacity = max(capacity, point.texts_per_s)
                yield point
        finally:
            service.stop()

    def _measure(self, service: Service, load: Load, number: int, capacity: float) -> Point:
        contender = service.contender
        groups = [self._texts[at : at + load.texts] for at in range(0, TEXTS, load.texts)]
        requests = [
            request_bytes(service.url, contender.path, json.dumps(contender.body(group)).encode()) for group in groups
        ]
        used = service.processor_s()
        if load.clients:
            warm_up_s = self._seconds / 4
            sample = closed_loop(service.url, requests, load.clients, self._seconds, warm_up_s)
            served = sample.in_window * (1 + warm_up_s / self._seconds)
        else:
            sample = open_arrivals(service.url, requests, load.share * capacity, self._seconds, seed=number)
            served = sample.in_window
        cpu_ms = 1000 * (service.processor_s() - used) / max(1.0, served * load.texts)
        return Point(
            contender.name,
            service.style,
            load.name,
            number,
            sample.per_second * load.texts,
            *_percentiles_ms(sample),
            cpu_ms,
            sample.client_s / (sample.window_s * (1.25 if load.clients else 1.0)),
            service.resident_mb(),
            sample.failed,
            self._right(contender, sample, groups) if contender.is_checked else None,
        )

    def _right(self, contender: Contender, sample: Sample, groups: Sequence[Sequence[str]]) -> float:
        """The share of the kept answers that have the word which the engine alone gives."""
        compared = equal = 0
        for place, body in sample.answers:
            group = groups[place % len(groups)]
            words = contender.words(body)
            compared += len(group)
            equal += sum(
                self._expected[text] == word for text, word in zip(group, words, strict=len(words) == len(group))
            )
        return equal / compared if compared else 1.0


def expected_words(batch: Sequence[str]) -> dict[str, str]:
    """The word that the engine alone gives each text, one text at a time."""
    settings = load_settings(model="default")
    bundle = resolve(settings)
    engine = OnnxEngine(bundle, settings.inference_threads())
    tokenizer = BundleTokenizer(bundle, settings.max_windows)
    judge = Judge(bundle.config, {})
    return {
        text: judge.judge([engine.run([window])[0] for window in windows]).classification
        for text, windows in zip(batch, tokenizer.encode(batch), strict=True)
    }


def _percentiles_ms(sample: Sample) -> tuple[float, float, float]:
    if len(sample.latencies) < 2:
        return (0.0, 0.0, 0.0)
    cuts = statistics.quantiles(sample.latencies, n=100, method="inclusive")
    return (1000 * cuts[49], 1000 * cuts[94], 1000 * cuts[98])


def measure_all(
    comparison: Comparison, chosen: Sequence[str], styles: Sequence[str], rounds: int, folder: Path
) -> list[Point]:
    """All points, written to `points.jsonl` in `folder` as they come. A contender that does not start is left out."""
    points: list[Point] = []
    with (folder / "points.jsonl").open("w", encoding="utf-8") as kept:
        for number in range(rounds):
            for contender in CONTENDERS:
                if contender.name not in chosen:
                    continue
                for style in styles if contender.has_styles else styles[:1]:
                    try:
                        for point in comparison.round(number, contender, style):
                            points.append(point)
                            kept.write(json.dumps(asdict(point)) + "\n")
                            kept.flush()
                            sys.stderr.write(_line(point))
                    except (RuntimeError, TimeoutError) as error:
                        sys.stderr.write(f"{contender.name}, {style}: {error}\n")
    return points


def _line(point: Point) -> str:
    right = "" if point.right is None or point.right >= _RIGHT else f" WRONG: {point.right:.0%} right"
    failed = f" FAILED: {point.failed}" if point.failed else ""
    return (
        f"{point.round} {point.contender:13} {point.style:5} {point.load:16} {point.texts_per_s:7.0f} texts/s "
        f"p50 {point.p50_ms:6.1f} p99 {point.p99_ms:6.1f} ms, "
        f"{point.cpu_ms:5.2f} ms of processor a text{failed}{right}\n"
    )
