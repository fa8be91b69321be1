"""What the result cache saves: the same texts with and without it, in turns, by processor time of a text.

    python -m bench.result_cache                   a chat replay made from bench/comments.txt
    python -m bench.result_cache --file texts.txt  your own log in its own order, a text a line
    python -m bench.result_cache --smoke           a few seconds, to show that it runs

The replay draws from `--distinct` texts; the one of rank r has a weight of 1 / r ** `--exponent` (Zipf's law). It is a
model of a chat, not a record of one. Each round begins with an empty cache, so what is saved is what repeats within the
round. Engine, tokenizer and classifier are the worker's; queue and HTTP, which the cache does not save, are not
measured. Prints how much repeats, and min / median / max over the rounds.
"""

import argparse
import itertools
import random
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bundles.text.normalise import normalise_once
from shared.messages import TextItem
from shared.settings import load_settings
from worker.inference.cache import ResultCache
from worker.main import BYTES_IN_MB, build_classifier

COMMENTS = Path(__file__).with_name("comments.txt").read_text().splitlines()
TEXTS_PER_MESSAGE = 32
TIMEOUT_S = 600
SEED = 17


def replay(count: int, distinct: int, exponent: float) -> list[str]:
    """`count` texts drawn from `distinct` ones by Zipf's law."""
    texts = [
        f"{comment} {number}" for number, comment in enumerate(itertools.islice(itertools.cycle(COMMENTS), distinct))
    ]
    weights = [1 / rank**exponent for rank in range(1, distinct + 1)]
    return random.Random(SEED).choices(texts, weights, k=count)


def repeated_share(texts: Sequence[str]) -> float:
    """The share of texts that came before in `texts`."""
    return 1 - len(set(texts)) / len(texts)


class Side:
    """The classifier with a cache of `mib` MiB, and its figures of each round."""

    def __init__(self, model: str, mib: int) -> None:
        self.mib = mib
        self.processor_ms: list[float] = []
        self.per_s: list[float] = []
        self._classifier = build_classifier(load_settings(model=model))

    def run(self, texts: Sequence[str]) -> None:
        """Classify `texts` as messages of a queue would bring them."""
        self._classifier.cache = ResultCache(self.mib * BYTES_IN_MB)
        started, processor_s = time.perf_counter(), time.process_time()
        for first in range(0, len(texts), TEXTS_PER_MESSAGE):
            items = [TextItem(at, text) for at, text in enumerate(texts[first : first + TEXTS_PER_MESSAGE])]
            answers = [a for group in self._classifier.answers_as_done(items, time.time() + TIMEOUT_S) for a in group]
            if any(answer.verdict is None for answer in answers) or len(answers) != len(items):
                sys.exit("a text has no verdict")
        self.processor_ms.append(1000 * (time.process_time() - processor_s) / len(texts))
        self.per_s.append(len(texts) / (time.perf_counter() - started))

    def close(self) -> None:
        """Stop the model thread."""
        self._classifier.batcher.close()

    def report(self) -> str:
        """Its figures, in three lines."""
        name = f"cache of {self.mib} MiB" if self.mib else "no cache"
        return (
            f"{name}\n"
            f"  processor time of a text   {_spread(self.processor_ms, 3)} ms\n"
            f"  speed                      {_spread(self.per_s, 0)} texts/s\n"
        )


def _spread(values: Sequence[float], digits: int) -> str:
    return " / ".join(f"{value:,.{digits}f}" for value in (min(values), statistics.median(values), max(values)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="default")
    parser.add_argument("--file", type=Path, help="texts to classify in their order, one a line")
    parser.add_argument("--count", type=int, default=6_000)
    parser.add_argument("--distinct", type=int, default=20_000)
    parser.add_argument("--exponent", type=float, default=1.1)
    parser.add_argument("--mib", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    count, rounds = (200, 1) if options.smoke else (options.count, options.rounds)
    if options.file:
        texts = [line for line in options.file.read_text().splitlines() if line.strip()][:count]
    else:
        texts = replay(count, options.distinct, options.exponent)
    as_read = repeated_share([normalise_once(text) for text in texts])
    sys.stdout.write(f"{len(texts):,} texts, repeated {repeated_share(texts):.1%} as sent, {as_read:.1%} normalised\n")
    without, cached = Side(options.model, 0), Side(options.model, options.mib)
    for _ in range(rounds):
        without.run(texts)
        cached.run(texts)
    ratio = statistics.median(a / b for a, b in zip(without.processor_ms, cached.processor_ms, strict=True))
    sys.stdout.write(without.report() + cached.report() + f"processor time saved: {ratio:.1f} times less\n")
    without.close()
    cached.close()


if __name__ == "__main__":
    main()
