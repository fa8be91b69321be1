"""How fast a graph reads comments: length-sorted, on a stated number of threads, repeated."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bundles.text.normalise import normalise
from training.data.batches import cut
from training.ship.bundle import GraphRunner

_RUNS = 5


@dataclass(frozen=True)
class Speed:
    """Texts a second over several runs, and the mean length of the texts in tokens."""

    slowest: float
    median: float
    fastest: float
    mean_tokens: float
    threads: int
    texts: int


def measure_speed(runner: GraphRunner, texts: Sequence[str], *, threads: int, runs: int = _RUNS) -> Speed:
    """Run all `texts` through the graph `runs` times; tokenising is not timed."""
    encoded = runner.tokenizer.encode_batch_fast([normalise(text) for text in texts])
    return measure_ids(runner, [cut(item.ids, runner.max_length) for item in encoded], threads=threads, runs=runs)


def measure_ids(runner: GraphRunner, ids: Sequence[Sequence[int]], *, threads: int, runs: int = _RUNS) -> Speed:
    """The same on token ids; a first pass warms up and does not count."""
    runner.logits_of_ids(ids[:64])
    rates = []
    for _ in range(runs):
        started = time.perf_counter()
        runner.logits_of_ids(ids)
        rates.append(len(ids) / (time.perf_counter() - started))
    mean_tokens = sum(map(len, ids)) / len(ids)
    return Speed(min(rates), statistics.median(rates), max(rates), mean_tokens, threads, len(ids))
