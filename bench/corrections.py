"""What corrections cost a worker: memory for each, time for a text with one and one without, time to read them all.

    python -m bench.corrections [--count N] [--smoke]

The texts are those of `bench/comments.txt`, numbered. Without corrections a text costs a look.
"""

import argparse
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path

from shared.corrections.records import Correction, NewCorrection, correction_id
from worker.corrections.book import CorrectionBook

COMMENTS = Path(__file__).with_name("comments.txt")
TIMED = 2_000


def corrections(count: int) -> list[Correction]:
    """So many, each of another text."""
    comments = COMMENTS.read_text(encoding="utf-8").splitlines()
    texts = [f"{comments[number % len(comments)]} {number}" for number in range(count)]
    return [
        Correction(id=correction_id(number), version=number, record=NewCorrection(text=text, classification="clean"))
        for number, text in enumerate(texts, start=1)
    ]


def microseconds(find: Callable[[str], object], texts: Sequence[str]) -> float:
    """Mean time of `find` over the texts."""
    started = time.perf_counter()
    for text in texts:
        find(text)
    return (time.perf_counter() - started) / len(texts) * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    made = corrections(500 if options.smoke else options.count)
    known = [one.record.text for one in made[:TIMED]]
    others = [f"{text} 또" for text in known]
    book = CorrectionBook()
    say(f"no corrections: {microseconds(book.find, others):.2f} microseconds a text")
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    book.replace([made])
    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    started = time.perf_counter()
    book.replace([made])
    say(f"{len(made):,} corrections: {held / 1024**2:.1f} MiB, {held / len(made):.0f} bytes each")
    say(f"read in {time.perf_counter() - started:.2f} s")
    say(f"a text without one: {microseconds(book.find, others):.1f} microseconds, with one: "
        f"{microseconds(book.find, known):.1f}")  # fmt: skip


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
