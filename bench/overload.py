"""What the service does when ten times as much comes as it can answer: open arrivals, so that nobody waits for anybody.

    python -m bench.overload                 10 times its capacity for 60 s, over 256 and over 2,000 connections
    python -m bench.overload --smoke         a few seconds, to show that it runs

First it measures the capacity: texts a second with eight clients, each with one request after the other. Then requests
arrive at random (Poisson) at a multiple of that, each on the next free one of the connections, whether or not earlier
ones were answered. Prints the texts answered a second and their share of the capacity, p50 and p99 of the accepted and
of the refused, and the memory of the API before and after.

Clients and service share the processors. So that their parts can be told apart, it also prints how late the clients
sent, which no time has in it, and how long the service says that a refusal took once the request was there.

A request carries several texts, because the clients share the processors: the cost of a refusal is then not most of the
load. `--texts 1` shows that case.
"""

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from bench.load import Connection, predict_all
from bench.predict import texts
from tests.support.stack import Stack, memory_bytes

MIB = 1 << 20


@dataclass
class Outcome:
    """What became of the requests of one run: seconds by status, and those for which no connection was free."""

    seconds: dict[int, list[float]] = field(default_factory=dict)
    broken: Counter[str] = field(default_factory=Counter)
    unsent: int = 0
    # Seconds from when a request was due until it was sent.
    late: list[float] = field(default_factory=list)
    # Until the last answer.
    elapsed_s: float = 0.0

    def note(self, status: int, seconds: float) -> None:
        self.seconds.setdefault(status, []).append(seconds)


class Clients:
    """Connections that are opened beforehand; each serves one request at a time."""

    def __init__(self, url: str, count: int) -> None:
        self._connections = [Connection(url) for _ in range(count)]
        self._free: list[Connection] = []

    async def open(self) -> None:
        for connection in self._connections:
            await connection.__aenter__()
        self._free = list(self._connections)

    async def close(self) -> None:
        for connection in self._connections:
            await connection.__aexit__()

    async def send(self, batch: list[str], due: float, outcome: Outcome) -> None:
        if not self._free:
            outcome.unsent += 1
            return
        connection = self._free.pop()
        started = time.perf_counter()
        outcome.late.append(started - due)
        try:
            status, _ = await connection.post("/predict", {"texts": batch})
        except (OSError, EOFError) as error:
            outcome.broken[type(error).__name__] += 1
            return
        outcome.note(status, time.perf_counter() - started)
        self._free.append(connection)


async def arrive(clients: Clients, per_s: float, seconds: float, batch: list[str]) -> Outcome:
    """Send requests at random times, `per_s` on average, for `seconds`."""
    outcome = Outcome()
    # The same arrivals in every run.
    gaps = random.Random(1)
    pending: set[asyncio.Task[None]] = set()
    begun = due = time.perf_counter()
    while due < begun + seconds:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        task = asyncio.create_task(clients.send(batch, due, outcome))
        pending.add(task)
        task.add_done_callback(pending.discard)
        due += gaps.expovariate(per_s)
    await asyncio.gather(*pending)
    outcome.elapsed_s = time.perf_counter() - begun
    return outcome


async def overload(stack: Stack, connections: int, per_s: float, seconds: float, batch: list[str]) -> Outcome:
    clients = Clients(stack.url, connections)
    await clients.open()
    try:
        return await arrive(clients, per_s, seconds, batch)
    finally:
        await clients.close()


def capacity(stack: Stack, size: int, count: int) -> float:
    """Texts a second with enough requests of `size` texts under way, none of them refused."""
    batch = texts(count, 0)
    started = time.perf_counter()
    asyncio.run(predict_all(stack.url, [batch[i : i + size] for i in range(0, count, size)], clients=8))
    return count / (time.perf_counter() - started)


def quantiles(seconds: list[float]) -> str:
    if len(seconds) < 2:
        return "none"
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return f"p50 {1000 * cuts[49]:,.0f} ms, p99 {1000 * cuts[98]:,.0f} ms, max {1000 * max(seconds):,.0f} ms"


def report(outcome: Outcome, connections: int, size: int, capacity_per_s: float) -> str:
    accepted = outcome.seconds.get(200, [])
    goodput = len(accepted) * size / outcome.elapsed_s
    counts = ", ".join(f"{status}: {len(times):,}" for status, times in sorted(outcome.seconds.items()))
    return (
        f"{connections:,} connections: {counts}; no free connection {outcome.unsent:,}; broken {dict(outcome.broken)}\n"
        f"  answered           {goodput:,.0f} texts/s, {goodput / capacity_per_s:.2f} of the capacity\n"
        f"  time of accepted   {quantiles(accepted)}\n"
        f"  time of refused    {quantiles(outcome.seconds.get(429, []))}\n"
        f"  sent late by       {quantiles(outcome.late)}\n"
    )


def own_refusals(stack: Stack, skip: int) -> list[float]:
    """Seconds that each refusal took by the service's own log, without the first `skip`."""
    refused = [event for event in stack.events() if event.get("event") == "request" and event["code"] == 429]
    return [event["total_ms"] / 1000 for event in refused[skip:]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="default")
    parser.add_argument("--texts", type=int, default=20, help="texts a request")
    parser.add_argument("--times", type=float, default=10.0, help="arrivals, as a multiple of the capacity")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    seconds, connections, count = (1.0, (32,), 200) if options.smoke else (options.seconds, (256, 2_000), 4_000)
    with tempfile.TemporaryDirectory(prefix="kt-") as folder:
        stack = Stack(Path(folder), options.model)
        try:
            stack.start(worker_module="worker.main")
            per_s = capacity(stack, options.texts, count)
            sys.stdout.write(
                f"capacity {per_s:,.0f} texts/s; {options.times:g} times that arrives, {options.texts} a request\n"
            )
            refusals = 0
            for number in connections:
                before = memory_bytes(stack.api.pid)
                arrivals = options.times * per_s / options.texts
                batch = texts(options.texts, 0)
                outcome = asyncio.run(overload(stack, number, arrivals, seconds, batch))
                sys.stdout.write(report(outcome, number, options.texts, per_s))
                own = own_refusals(stack, refusals)
                refusals += len(own)
                sys.stdout.write(f"  refused, by its log {quantiles(own)}\n")
                after = memory_bytes(stack.api.pid)
                sys.stdout.write(f"  memory of the API  {before / MIB:.0f} -> {after / MIB:.0f} MiB\n")
        finally:
            stack.stop()


if __name__ == "__main__":
    main()
