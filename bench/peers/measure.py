"""Rounds in turns: each service under each load, what it did, what it cost, and whether its answers are right."""

import json
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.peers import engine
from bench.peers.contenders import ENGINE, Contender
from bench.peers.lineup import Lineup
from bench.peers.load import Sample, closed_loop, open_arrivals, request_bytes
from bench.peers.loads import Load, Point
from bench.peers.reference import References
from bench.peers.service import Service, Usage
from bench.predict import texts

TEXTS = 3_000
_RIGHT = 0.97  # of the answers that are compared
_WARM_UP = 0.25  # of the measured time
_LEAST_ARRIVALS = 40  # of an open run, within
_LONGEST_OPEN_S = 4.0


@dataclass(frozen=True)
class Plan:
    """Which loads, how many rounds, and for how many seconds each run is measured after its warm-up."""

    loads: Sequence[Load]
    rounds: int
    seconds: float


class Comparison:
    """Measures services under the loads of a plan; `with_engine`: the engine alone too, beside each closed load."""

    def __init__(self, plan: Plan, *, with_engine: bool) -> None:
        self._plan = plan
        self._texts = texts(TEXTS, 0)
        self._references = References()
        self._engine = engine.Engine(self._texts) if with_engine else None
        self._capacities: dict[tuple[Service, int], float] = {}

    def points(self, lineup: Lineup) -> Iterator[Point]:
        """All points: round by round, load by load, and under each load one service after the other."""
        for number in range(self._plan.rounds):
            for load in self._plan.loads:
                if load.clients and self._engine:
                    yield self._engine_point(self._engine, load, number)
                for service in lineup.in_turn(number):
                    if self._takes(service, load, number):
                        yield from self._turn(lineup, service, load, number)

    def _turn(self, lineup: Lineup, service: Service, load: Load, number: int) -> list[Point]:
        """The point of one run, or none if the service failed."""
        points = []
        with lineup.turn_of(service):
            points.append(self._point(service, load, number))
        return points

    def _takes(self, service: Service, load: Load, number: int) -> bool:
        contender = service.contender
        if load.share:
            return self._capacities.get((service, number), 0.0) > 0
        return load.clients <= contender.most_clients and (load.texts == 1 or contender.takes_many)

    def _engine_point(self, alone: engine.Engine, load: Load, number: int) -> Point:
        run = alone.run(1 if load.clients == 1 else engine.PORTION, self._plan.seconds)
        latencies = _percentiles_ms(run.latencies)
        return Point(ENGINE, "", load.name, number, run.texts_per_s, *latencies, run.cpu_ms)

    def _point(self, service: Service, load: Load, number: int) -> Point:
        contender = service.contender
        groups = [self._texts[at : at + load.texts] for at in range(0, TEXTS, load.texts)]
        requests = [_request(service, contender, group) for group in groups]
        before = service.usage()
        sample = self._run(service, load, requests, number)
        after = service.usage()
        if load.clients and load.texts == 1:
            known = self._capacities.get((service, number), 0.0)
            self._capacities[service, number] = max(known, sample.per_second)
        kept = [(groups[place % len(groups)], body) for place, body in sample.answers]
        right, compared = self._references.share_right(service, kept)
        spent = _spent_ms(before, after, max(1, sample.answered) * load.texts)
        return Point(
            contender.name,
            service.style if contender.has_styles else "",
            load.name,
            number,
            sample.per_second * load.texts,
            *_percentiles_ms(sample.latencies),
            cpu_ms=sum(spent.values()),
            answered=sample.answered_share,
            failed=sample.failed,
            right=right,
            compared=compared,
            client_cpu_share=sample.client_s / (sample.window_s * (1 + _WARM_UP if load.clients else 1)),
            cpu_ms_by_part=spent,
            resident_mb_by_part={part: used.resident_mb for part, used in after.items()},
        )

    def _run(self, service: Service, load: Load, requests: Sequence[bytes], number: int) -> Sample:
        seconds = self._plan.seconds
        if load.clients:
            return closed_loop(service.url, requests, load.clients, seconds, seconds * _WARM_UP)
        rate = load.share * self._capacities[service, number]
        enough_s = min(_LONGEST_OPEN_S, _LEAST_ARRIVALS / rate)
        return open_arrivals(service.url, requests, rate, max(seconds, enough_s), seed=number)


def _request(service: Service, contender: Contender, group: Sequence[str]) -> bytes:
    return request_bytes(service.url, contender.path, json.dumps(contender.body(group)).encode())


def _spent_ms(before: dict[str, Usage], after: dict[str, Usage], count: int) -> dict[str, float]:
    """Processor milliseconds of each of `count` texts, by part."""
    return {
        part: 1000 * (used.processor_s - before.get(part, Usage()).processor_s) / count for part, used in after.items()
    }


def _percentiles_ms(latencies: Sequence[float]) -> tuple[float, float, float]:
    if len(latencies) < 2:
        only = 1000 * sum(latencies)
        return (only, only, only)
    cuts = statistics.quantiles(latencies, n=100, method="inclusive")
    return (1000 * cuts[49], 1000 * cuts[94], 1000 * cuts[98])


def measure_all(comparison: Comparison, lineup: Lineup, folder: Path) -> list[Point]:
    """All points, written to `points.jsonl` in `folder` as they come."""
    points: list[Point] = []
    with (folder / "points.jsonl").open("w", encoding="utf-8") as kept:
        for point in comparison.points(lineup):
            points.append(point)
            kept.write(json.dumps(asdict(point)) + "\n")
            kept.flush()
            sys.stderr.write(_line(point))
    return points


def _line(point: Point) -> str:
    right = "" if point.right >= _RIGHT else f" WRONG: {point.right:.0%} right"
    failed = f" FAILED: {point.failed}" if point.failed else ""
    return (
        f"{point.round} {point.contender:21} {point.style:5} {point.load:15} {point.texts_per_s:7.0f} texts/s "
        f"p50 {point.p50_ms:6.1f} p99 {point.p99_ms:6.1f} ms, "
        f"{point.cpu_ms:5.2f} ms of processor a text{failed}{right}\n"
    )
