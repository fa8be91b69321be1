"""Does anything grow when the service is used for an hour? Watches memory, descriptors and keys under a mixed load.

    python -m bench.soak                 an hour
    python -m bench.soak --write         and write the section of docs/reliability.md
    python -m bench.soak --minutes 240
    python -m bench.soak --smoke         some seconds, to show that it runs

The service is `kobert run` with its defaults, except that a job is kept for five minutes after its end, so that jobs
also expire. A few requests a second arrive: texts alone and together, through every door, with policies and
corrections; files, their event streams and results in each format; reviews; bad requests, and callers who leave.
Once a minute each process's memory and descriptors are read, and the store's keys. A straight line is fitted through
what comes after the first quarter, in which caches fill. Nothing grows if that line rises by at most 10 MiB, 10
descriptors and 50 keys an hour: one that each request or job leaves behind would be hundreds.
"""

import argparse
import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

from bench.pages import replace_section
from bench.soak.load import Load
from tests.support.run import KobertRun

MIB = 1 << 20
KEPT_JOB_S = 300
WARM_UP_SHARE = 0.25
MAX_PER_HOUR = {"memory": 10.0, "descriptors": 10.0, "keys": 50.0}
SECTION = "## An hour of use"


class Sample(NamedTuple):
    """One look: MiB and descriptors by process, and what the store holds."""

    at_s: float
    memory: dict[str, float]
    descriptors: dict[str, int]
    keys: int
    store_mib: float


def processes(service: KobertRun) -> Iterator[tuple[str, psutil.Process]]:
    """The command and what it started, by the name of what each is."""
    yield "the command", psutil.Process(service.pid)
    for child in psutil.Process(service.pid).children():
        with contextlib.suppress(psutil.Error):
            command = " ".join(child.cmdline())
            for part, name in {"api.main": "API", "worker.main": "worker", "valkey-server": "store"}.items():
                if part in command:
                    yield name, child


def look(service: KobertRun, at_s: float) -> Sample:
    found = dict(processes(service))
    with service.redis() as redis:
        keys, used = redis.dbsize(), redis.info("memory")["used_memory"]
    return Sample(
        at_s,
        {name: process.memory_info().rss / MIB for name, process in found.items()},
        {name: process.num_fds() for name, process in found.items()},
        int(keys),
        used / MIB,
    )


def watch(minutes: float, every_s: float, pace: float) -> tuple[list[Sample], Load]:
    """Samples of a service under load, from its start on."""
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as folder,
        KobertRun(Path(folder), result_ttl_s=KEPT_JOB_S) as service,
        Load(service.url, pace) as load,
    ):
        began = time.monotonic()
        samples: list[Sample] = []
        while (now := time.monotonic() - began) < minutes * 60 or len(samples) < 4:
            samples.append(look(service, now))
            sys.stdout.write(f"{show(samples[-1])}\n")
            sys.stdout.flush()
            time.sleep(every_s)
        samples.append(look(service, time.monotonic() - began))
        return samples, load


def show(sample: Sample) -> str:
    memory = ", ".join(f"{name} {mib:.0f} MiB" for name, mib in sample.memory.items())
    return (
        f"{sample.at_s / 60:5.1f} min: {memory}; descriptors {sum(sample.descriptors.values())} "
        f"{dict(sample.descriptors)}; {sample.keys} keys, {sample.store_mib:.1f} MiB in the store"
    )


class Line(NamedTuple):
    """One figure after the warm-up: where it began, its highest, and the growth an hour of the fitted line."""

    what: str
    kind: str
    first: float
    most: float
    per_hour: float

    @property
    def is_flat(self) -> bool:
        return self.per_hour <= MAX_PER_HOUR[self.kind]


def fit(samples: list[Sample]) -> list[Line]:
    settled = [sample for sample in samples if sample.at_s >= WARM_UP_SHARE * samples[-1].at_s]
    hours = [sample.at_s / 3600 for sample in settled]
    figures: list[tuple[str, str, list[float]]] = []
    for name in settled[0].memory:
        figures.append((f"memory of {name}, MiB", "memory", [sample.memory[name] for sample in settled]))
        figures.append((f"descriptors of {name}", "descriptors", [float(s.descriptors[name]) for s in settled]))
    figures.append(("data in the store, MiB", "memory", [sample.store_mib for sample in settled]))
    figures.append(("keys in the store", "keys", [float(sample.keys) for sample in settled]))
    return [
        Line(what, kind, values[0], max(values), statistics.linear_regression(hours, values).slope)
        for what, kind, values in figures
    ]


def section(minutes: float, lines: list[Line], load: Load) -> str:
    """The part of the page, with its table."""
    bad = load.bad()
    rows = "".join(f"| {x.what} | {x.first:.1f} | {x.most:.1f} | {x.per_hour:+.1f} |\n" for x in lines)
    told = "none was an error of the server." if not bad else f"these were not good: {bad}."
    return f"""{SECTION}

`.venv/bin/python -m bench.soak --write`, {minutes:.0f} minutes, {len(os.sched_getaffinity(0))} processors with other
work on them: `.venv/bin/kobert run` with its defaults (but a job is kept for {KEPT_JOB_S // 60} minutes, so that
jobs also expire), and a mixed load: texts through every door, policies, corrections, files with their event streams
and results in each format, reviews, bad requests, callers who leave. Of {sum(load.statuses.values()):,} answers {told}
The first quarter, in which caches fill, is left out; the last column is the slope of a straight line through the rest.

| figure | first | highest | growth an hour |
|---|---|---|---|
{rows}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    minutes, every_s, pace = (0.15, 2.0, 4.0) if options.smoke else (options.minutes, 60.0, 1.0)
    samples, load = watch(minutes, every_s, pace)
    lines = fit(samples)
    for line in lines:
        flat = "flat" if line.is_flat else "GROWS"
        sys.stdout.write(
            f"{line.what}: {line.first:.1f}, at most {line.most:.1f}, {line.per_hour:+.1f} an hour: {flat}\n"
        )
    sys.stdout.write(f"answers: {dict(sorted(load.statuses.items()))}\nnot good: {load.bad()}\n")
    if options.write:
        replace_section("reliability.md", section(minutes, lines, load))
    # In some seconds everything grows, and what else runs on the machine then must not fail it.
    is_flat = options.smoke or all(line.is_flat for line in lines)
    sys.exit(0 if is_flat and not load.bad(may_be_slow=options.smoke) else 1)


if __name__ == "__main__":
    main()
