"""What this service must show beside its peers and its own engine, and whether it does."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bench.peers.contenders import ALL_READ, CONTENDERS, ENGINE, OURS, OWN, Contender
from bench.peers.loads import ARRAYS, FULL, LONE, Load, Point

LEAST_OF_PEER = 0.95  # with a p99 that is no worse
LEAST_OF_ENGINE = 0.85
MOST_CPU_OF_ENGINE = 1.3
MOST_ADDED_MS = 3.0

Figures = tuple[float, float, float]


@dataclass(frozen=True)
class Goal:
    """One line: what is asked, what was measured, and whether the median meets it."""

    says: str
    measured: str
    holds: bool


def goals(points: Sequence[Point]) -> list[Goal]:
    """Those that these points can tell, with the cascade and without. Every ratio is taken within a round."""
    return [goal for own in OWN for goal in (*_beside_engine(points, own), *_beside_peers(points, own))]


def three(values: Sequence[float], digits: int) -> str:
    """Minimum, median and maximum."""
    return " / ".join(f"{value:,.{digits}f}" for value in (min(values), statistics.median(values), max(values)))


def in_rounds(
    points: Sequence[Point],
    load: Load,
    theirs: tuple[str, str],
    figure: Callable[[Point, Point], float],
    ours: Contender = OURS,
) -> list[float]:
    """`figure` of our point and theirs (name, style), of each round in which both answered."""
    of_load = [point for point in points if point.load == load.name and point.texts_per_s > 0]
    own = {point.round: point for point in of_load if point.contender == ours.name}
    others = [point for point in of_load if (point.contender, point.style) == theirs]
    return [figure(own[other.round], other) for other in others if other.round in own]


def _load(load: Load, ours: Contender) -> str:
    return f"{load.name}, `CASCADE=off`" if ours is ALL_READ else load.name


def _beside_engine(points: Sequence[Point], ours: Contender) -> Iterator[Goal]:
    alone = (ENGINE, "")
    if share := in_rounds(points, ARRAYS, alone, lambda own, other: own.texts_per_s / other.texts_per_s, ours):
        says = f"{_load(ARRAYS, ours)}: texts/s, at least {LEAST_OF_ENGINE} of the engine alone"
        yield Goal(says, three(share, 2), statistics.median(share) >= LEAST_OF_ENGINE)
    if cpu := in_rounds(points, FULL, alone, lambda own, other: own.cpu_ms / other.cpu_ms, ours):
        says = f"{_load(FULL, ours)}: processor time of a text, at most {MOST_CPU_OF_ENGINE} of the engine's own"
        yield Goal(says, three(cpu, 2), statistics.median(cpu) <= MOST_CPU_OF_ENGINE)
    if added := in_rounds(points, LONE, alone, lambda own, other: own.p50_ms - other.p50_ms, ours):
        says = f"{_load(LONE, ours)}: p50, at most {MOST_ADDED_MS} ms above the engine's own time of one text"
        yield Goal(says, f"{three(added, 1)} ms", statistics.median(added) <= MOST_ADDED_MS)


def _beside_peers(points: Sequence[Point], ours: Contender) -> Iterator[Goal]:
    for contender in CONTENDERS:
        for style in ("", "tuned", "plain"):
            if not contender.is_ours:
                yield from _beside_peer(points, ours, (contender.name, style))


def _beside_peer(points: Sequence[Point], ours: Contender, theirs: tuple[str, str]) -> Iterator[Goal]:
    name = ", ".join(filter(None, theirs))
    if speed := in_rounds(points, FULL, theirs, lambda own, other: own.texts_per_s / other.texts_per_s, ours):
        tail = in_rounds(points, FULL, theirs, lambda own, other: own.p99_ms / other.p99_ms, ours)
        median = statistics.median(speed)
        holds = median > 1 or (median >= LEAST_OF_PEER and statistics.median(tail) <= 1)
        says = f"{_load(FULL, ours)}: texts/s over {name}, above 1 (or {LEAST_OF_PEER} with p99 no worse)"
        yield Goal(says, f"{three(speed, 2)}; p99 {three(tail, 2)}", holds)
    if speed := in_rounds(points, ARRAYS, theirs, lambda own, other: own.texts_per_s / other.texts_per_s, ours):
        says = f"{_load(ARRAYS, ours)}: texts/s over {name}, above 1"
        yield Goal(says, three(speed, 2), statistics.median(speed) > 1)
