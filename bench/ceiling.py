"""How many texts the service could move if its models cost nothing: real processes, with engines that sleep.

    python -m bench.ceiling [--rounds N] [--seconds S] [--write] [--smoke]

Runs the API, the store and workers as they are, except that a pass of the model sleeps (`bench.sleeping_engine`), and
measures, as min / median / max over the rounds:

- arrays of 256 texts from 4 clients, to one API process and two workers whose passes sleep 1 ms;
- one text a request from 128 clients, with the API process alone on one processor, and everything else, the clients
  included, on another; where those are full first, the processor time of a request says what the API could do;
- texts a second of 8 workers beside those of one, where a token takes as long as KoBERT-base takes on one processor.

`--write` puts the table into docs/performance/path.md. Two minutes with the defaults.
"""

import argparse
import contextlib
import json
import math
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.pages import replace_section
from bench.peers.load import closed_loop, request_bytes
from bench.predict import processor_seconds, texts
from tests.full_size.matrix_page import machine
from tests.support.stack import Stack

SECTION = "## Without a model"
WORKER = "bench.sleeping_engine"
WARM_UP_S = 0.5
DIFFERENT_TEXTS = 20_000
# KoBERT's shape answers 120 texts/s on one processor (docs/performance/path.md); the bench's texts have 18 tokens.
KOBERT_TOKEN_US = 450
MANY_WORKERS, SMOKE_WORKERS = 8, 2
# Longer than any machine lets a request wait: nothing is to be refused or given up.
PATIENCE_S = 300


@dataclass(frozen=True)
class Load:
    """What the clients send, and what the service is that gets it."""

    name: str
    clients: int
    texts_a_request: int
    workers: int = 1
    pass_ms: float = 1.0
    token_us: float = 0.0
    model_threads: int = 2
    is_api_alone: bool = False


LOADS = (
    Load("arrays of 256, 4 clients, 2 workers", 4, 256, workers=2),
    Load("one text a request, 128 clients", 128, 1, is_api_alone=True),
    Load("1 worker of KoBERT's speed", 24, 64, pass_ms=0, token_us=KOBERT_TOKEN_US, model_threads=1),
    Load("8 workers of KoBERT's speed", 24, 64, MANY_WORKERS, pass_ms=0, token_us=KOBERT_TOKEN_US, model_threads=1),
)
BULK, ONE_TEXT, ONE_WORKER, ALL_WORKERS = (load.name for load in LOADS)


@dataclass
class Figures:
    """One entry for each round: texts a second, and milliseconds of processor time a text by process."""

    per_second: list[float] = field(default_factory=list)
    processor_ms: dict[str, list[float]] = field(default_factory=dict)

    def note(self, per_second: float, seconds: float, used_s: dict[str, float]) -> None:
        """What one round gave; `used_s` is processor time by process in `seconds`."""
        self.per_second.append(per_second)
        for name, used in used_s.items():
            self.processor_ms.setdefault(name, []).append(_ratio(1000 * used, per_second * seconds))


def _ratio(figure: float, to: float) -> float:
    """How many times `to` it is; infinity where a short run on a busy machine got nothing done."""
    return figure / to if to else math.inf


@contextlib.contextmanager
def on_processors(which: set[int]) -> Iterator[None]:
    """Context whose new processes, and whose own work, stay on these processors."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, which)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def smaller(load: Load) -> Load:
    """The same with fewer workers and clients, to show that it runs."""
    return replace(load, workers=min(load.workers, SMOKE_WORKERS), clients=min(load.clients, 8))


def start(folder: Path, load: Load) -> Stack:
    """The service for a load; with the API alone on the first of the processors where the load says so."""
    stack = Stack(
        folder,
        "default",
        model_threads=load.model_threads,
        sleep_pass_ms=load.pass_ms,
        sleep_token_us=load.token_us,
        log_level="warning",
        predict_timeout_s=PATIENCE_S,
    )
    with on_processors(elsewhere(load)):
        stack.start_store()
        for _ in range(load.workers):
            stack.add_worker(WORKER)
    with on_processors(os.sched_getaffinity(0) - elsewhere(load) or os.sched_getaffinity(0)):
        stack.api.start()
    stack.wait_ready(load.workers)
    return stack


def elsewhere(load: Load) -> set[int]:
    """The processors of everything but the API."""
    every = os.sched_getaffinity(0)
    return every - {min(every)} if load.is_api_alone and len(every) > 1 else every


def measure(stack: Stack, load: Load, seconds: float, requests: Sequence[bytes], figures: Figures) -> None:
    """One round."""
    pids = {"API": [stack.api.pid], "workers": [worker.pid for worker in stack.workers], "store": [stack.store.pid]}
    before = {name: sum(map(processor_seconds, of_name)) for name, of_name in pids.items()}
    with on_processors(elsewhere(load)):
        sample = closed_loop(stack.url, requests, load.clients, seconds, WARM_UP_S)
    if sample.failed:
        raise RuntimeError(f"{load.name}: {sample.failed} requests failed\n{stack.logs()}")
    used = {name: sum(map(processor_seconds, of_name)) - before[name] for name, of_name in pids.items()}
    # What they used in the warm-up counts as if it were as busy as the rest.
    figures.note(sample.per_second * load.texts_a_request, seconds + WARM_UP_S, {**used, "clients": sample.client_s})


def requests_of(load: Load, url: str) -> list[bytes]:
    """Requests of different texts, so that no cache could answer them."""
    every = texts(DIFFERENT_TEXTS, 0)
    size = load.texts_a_request
    if size == 1:
        bodies: list[object] = [{"text": text} for text in every]
    else:
        bodies = [{"texts": every[at : at + size]} for at in range(0, len(every) - size, size)]
    return [request_bytes(url, "/predict", json.dumps(body).encode()) for body in bodies]


def run(load: Load, rounds: int, seconds: float) -> Figures:
    """All rounds of one load, on one service."""
    figures = Figures()
    with tempfile.TemporaryDirectory(prefix="kt-") as folder, contextlib.ExitStack() as closing:
        stack = start(Path(folder), load)
        closing.callback(stack.stop)
        requests = requests_of(load, stack.url)
        for _ in range(rounds):
            measure(stack, load, seconds, requests, figures)
    return figures


def row(name: str, figures: Figures) -> str:
    """Of the table."""
    speed = " / ".join(f"{value:,.0f}" for value in _spread(figures.per_second))
    cost = " | ".join(f"{statistics.median(values):.3f}" for values in figures.processor_ms.values())
    return f"| {name} | {speed} | {cost} |"


def verdict(by_load: dict[str, Figures]) -> str:
    """What the goals ask for."""
    api_ms = statistics.median(by_load[ONE_TEXT].processor_ms["API"])
    api_share = api_ms * statistics.median(by_load[ONE_TEXT].per_second) / 1000
    one, many = (statistics.median(by_load[load].per_second) for load in (ONE_WORKER, ALL_WORKERS))
    return (
        f"With one text a request the API's own processor was {100 * api_share:.0f} % busy, so it alone would reach\n"
        f"{_ratio(1000, api_ms):,.0f} requests/s. "
        f"{MANY_WORKERS} workers do {_ratio(many, one):.1f} times what one does."
    )


def section(by_load: dict[str, Figures], command: str) -> str:
    """The part of the page, with its table."""
    names = next(iter(by_load.values())).processor_ms
    rows = "\n".join(row(name, figures) for name, figures in by_load.items())
    return f"""{SECTION}

`{command}` on {machine()}: real processes whose model sleeps instead
of computing, so that the service's own work is all there is. Texts a second as min / median / max over the rounds, and
milliseconds of processor time a text. With one text a request the API has a processor of its own, and workers, store
and clients share the other; in the other rows all share both. With workers of KoBERT's speed, most of that time a text
is what processes use in any case, idle or not.

| | texts/s | {" | ".join(f"{name}, ms" for name in names)} |
|---|---|{"---|" * len(names)}
{rows}

{verdict(by_load)}
"""


def _spread(values: Sequence[float]) -> tuple[float, float, float]:
    return min(values), statistics.median(values), max(values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    rounds, seconds = (1, 0.5) if options.smoke else (options.rounds, options.seconds)
    by_load: dict[str, Figures] = {}
    for load in map(smaller, LOADS) if options.smoke else LOADS:
        by_load[load.name] = run(load, rounds, seconds)
        sys.stdout.write(f"{row(load.name, by_load[load.name])}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{verdict(by_load)}\n")
    if options.write:
        replace_section("performance/path.md", section(by_load, "python -m bench.ceiling --write"))


if __name__ == "__main__":
    main()
