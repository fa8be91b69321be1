"""The shapes of load, and what one run of one of them gave."""

from collections.abc import Mapping
from dataclasses import dataclass, field

MANY = 64


@dataclass(frozen=True)
class Load:
    """One shape of load: closed with so many `clients` of `texts` each, or open at `share` of the capacity."""

    name: str
    clients: int = 0
    texts: int = 1
    share: float = 0.0


LONE = Load("1 client", 1)
FULL = Load("64 clients", 64)
ARRAYS = Load(f"4 x {MANY}", 4, MANY)
CLOSED = (LONE, Load("8 clients", 8), FULL, Load("256 clients", 256), ARRAYS)
OPEN = tuple(Load(f"{share:.0%} of capacity", share=share) for share in (0.25, 0.5, 0.75, 0.9))
# What the goals are about.
GOAL_LOADS = (LONE, FULL, ARRAYS)


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
    # Of the requests that were sent or due.
    answered: float = 1.0
    failed: int = 0
    # Of the `compared` texts whose answers were kept.
    right: float = 1.0
    compared: int = 0
    client_cpu_share: float = 0.0
    cpu_ms_by_part: Mapping[str, float] = field(default_factory=dict)
    resident_mb_by_part: Mapping[str, float] = field(default_factory=dict)

    @property
    def resident_mb(self) -> float:
        """Resident memory of all its processes; pages that they share count for each."""
        return sum(self.resident_mb_by_part.values())
