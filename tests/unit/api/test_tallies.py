"""Our counters and histograms say what the library's would."""

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from api.metrics.tallies import Tally, Times

BOUNDS_S = (0.001, 0.5, 2.5)
SECONDS = (0.0, 0.001, 0.00100001, 0.5, 2.0, 2.5, 99.0, 2.0)


@pytest.fixture
def registries() -> tuple[CollectorRegistry, CollectorRegistry]:
    return CollectorRegistry(auto_describe=True), CollectorRegistry(auto_describe=True)


def shown(registry: CollectorRegistry) -> list[str]:
    """What a scrape has, without the times at which the library began to count."""
    return [line for line in generate_latest(registry).decode().splitlines() if "_created" not in line]


def test_a_histogram_puts_every_duration_into_the_bucket_of_the_librarys(
    registries: tuple[CollectorRegistry, CollectorRegistry],
) -> None:
    own, librarys = (
        Times("waits_seconds", "Waits", "route", BOUNDS_S),
        Histogram("waits_seconds", "Waits", ("route",), buckets=BOUNDS_S, registry=registries[1]),
    )
    registries[0].register(own)
    for route in ("/predict", '/"jobs"'):
        for seconds in SECONDS:
            own.add(route, seconds)
            librarys.labels(route).observe(seconds)

    assert shown(registries[0]) == shown(registries[1])


def test_a_counter_counts_as_the_librarys(registries: tuple[CollectorRegistry, CollectorRegistry]) -> None:
    own, librarys = (
        Tally("asked", "Asked", ("route", "code")),
        Counter("asked", "Asked", ("route", "code"), registry=registries[1]),
    )
    registries[0].register(own)
    for route, code in (("/predict", 200), ("/predict", 429), ("/predict", 200), ("/", 200)):
        own.add(route, code)
        librarys.labels(route, str(code)).inc()

    assert shown(registries[0]) == shown(registries[1])


def test_before_the_first_of_anything_only_names_are_shown(
    registries: tuple[CollectorRegistry, CollectorRegistry],
) -> None:
    registries[0].register(Times("waits_seconds", "Waits", "route", BOUNDS_S))
    registries[0].register(Tally("asked", "Asked", ("route",)))

    assert shown(registries[0]) == [
        "# HELP waits_seconds Waits", "# TYPE waits_seconds histogram",
        "# HELP asked_total Asked", "# TYPE asked_total counter",
    ]  # fmt: skip
