"""What the live feed costs: processor time of the API and of the store for a text, with and without it, in turns.

    python -m bench.live_feed
    python -m bench.live_feed --against CHECKOUT    with the code of another checkout, too
    python -m bench.live_feed --smoke               a few seconds, to show that it runs

Two services, alike but for `REVIEW_FEED_TEXTS`, with a worker that answers at once, so that the API is what is
measured. Prints min / median / max over the rounds.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import httpx

from bench.load import predict_all
from tests.support.echo import write_echo_bundle
from tests.support.stack import ROOT, Part, Stack, wait_until

COMMENTS = Path(__file__).with_name("comments.txt").read_text().splitlines()
CLIENTS = 16
KEPT = 5_000
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def processor_s(part: Part) -> float:
    """Seconds that a process has used so far."""
    fields = Path(f"/proc/{part.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


class Side:
    """One service, and its figures of each round in microseconds of a text."""

    def __init__(self, name: str, stack: Stack) -> None:
        self.name = name
        self.api_us: list[float] = []
        self.store_us: list[float] = []
        self.stack = stack

    def run(self, batches: Sequence[Sequence[str]]) -> None:
        """Send the batches, each in a request of its own."""
        api, store = processor_s(self.stack.api), processor_s(self.stack.store)
        asyncio.run(predict_all(self.stack.url, batches, CLIENTS))
        texts = sum(map(len, batches))
        self.api_us.append(1e6 * (processor_s(self.stack.api) - api) / texts)
        self.store_us.append(1e6 * (processor_s(self.stack.store) - store) / texts)

    def report(self) -> str:
        """Its figures, in a line."""
        return f"{self.name}: API {_spread(self.api_us)} us of a text, store {_spread(self.store_us)} us\n"


def keeps_texts(url: str) -> bool:
    """Whether a text is in the feed: it is written up to half a second after its answer."""
    return bool(httpx.get(f"{url}/feed", params={"limit": 1}).json()["data"])


def _spread(values: Sequence[float]) -> str:
    return " / ".join(f"{value:,.0f}" for value in (min(values), statistics.median(values), max(values)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=6_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--against", type=Path)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    count, rounds = (300, 1) if options.smoke else (options.requests, options.rounds)
    texts = [COMMENTS[number % len(COMMENTS)] for number in range(count)]
    with ExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="kt-")))
        bundle = write_echo_bundle(folder / "echo")
        sides = []
        plan = [("feed off", 0, ROOT), ("feed on", KEPT, ROOT)]
        if options.against:
            plan.append((f"feed on, {options.against}", KEPT, options.against))
        for number, (name, kept, checkout) in enumerate(plan):
            place = folder / str(number)
            place.mkdir()
            stack = Stack(place, bundle, checkout=checkout, review_feed_texts=kept)
            closing.callback(stack.stop)
            sides.append(Side(name, stack.start()))
        for size in (1, 32):
            batches = [texts[first : first + size] for first in range(0, count, size)]
            for side in sides:
                side.api_us.clear()
                side.store_us.clear()
            for _ in range(rounds):
                for side in sides:
                    side.run(batches)
            sys.stdout.write(f"{count:,} texts, {size} of them in a request, {CLIENTS} clients\n")
            sys.stdout.write("".join(side.report() for side in sides))
        wait_until(lambda: keeps_texts(sides[1].stack.url), "a text in the feed")


if __name__ == "__main__":
    main()
