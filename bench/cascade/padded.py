"""Bad texts between sentences that speak for clean, of which the table might make too much."""

import math
import random
from collections.abc import Sequence

from bench.cascade.sides import Bench, tokenizer_of
from bench.cascade.texts import test_texts
from bundles.cascade import cascade_of
from training.data.sources import TEST_DATA, Row

PLEASANT = TEST_DATA / "pleasant.txt"
PADDING = {"one before": (1, 0), "one after": (0, 1), "one on each side": (1, 1), "two on each side": (2, 2)}
CLEANEST, CLEANEST_TOKENS = 60, 18
PADDED = "tests/data and dev rows"


def read_padded(bench: Bench, held: Sequence[str], dev: Sequence[Row]) -> None:
    """Read what the model finds not clean in dev rows and test sets again, between sentences that speak for clean."""
    known = dict.fromkeys([*(row.text for row in dev), *(text for _, text in test_texts())])
    bad = [text for text in known if text in bench.is_bad and bench.is_bad[text][0]]
    pleasant = [text for text in PLEASANT.read_text(encoding="utf-8").splitlines() if text.strip()]
    bench.run(padded(bad, pleasant, "pleasant sentences"))
    bench.run(padded(bad, cleanest(bench, held), "the table's cleanest"))


def padded(bad: Sequence[str], sentences: Sequence[str], said: str) -> list[tuple[str, str]]:
    """`(set, text)`: each bad text with sentences around it, in every way of `PADDING`."""
    drawn = random.Random(17)
    found = []
    for name, (before, after) in PADDING.items():
        for text in bad:
            around = drawn.sample(sentences, before + after)
            found.append((f"{PADDED}, {said}: {name}", " ".join([*around[:before], text, *around[before:]])))
    return found


def cleanest(bench: Bench, texts: Sequence[str]) -> list[str]:
    """The short texts in which the table finds most that speaks for clean: what a writer who knows it would add."""
    table = cascade_of(bench.on.classifier.bundle)
    clean = [text for text in dict.fromkeys(texts) if bench.is_bad.get(text) == (False, False)]
    windows = tokenizer_of(bench.on.classifier).encode(clean)
    sums = [
        (margin * math.sqrt(len(ids)), text)
        for text, (ids, *_) in zip(clean, windows, strict=True)
        if table is not None and len(ids) <= CLEANEST_TOKENS and (margin := table.margin(ids)) is not None
    ]
    return [text for _, text in sorted(sums)[:CLEANEST]]
