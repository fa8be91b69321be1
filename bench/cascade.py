"""What the cascade answers, what that changes, and what it saves: the same texts with CASCADE on and off, in turns.

    python -m bench.cascade                    50,000 held-out texts, the test sets, and bad texts padded: ten minutes
    python -m bench.cascade --write            also puts the tables into docs/performance/cascade.md
    python -m bench.cascade --data FOLDER      the labelled files (default: $KOBERT_DATA, ../shared/data)
    python -m bench.cascade --smoke            bench/comments.txt alone, a few seconds

The texts are those that the cascade's certificate was measured on (`training/data/parts.py`). Engine, tokenizer and
classifier are the worker's, in messages of 32 texts; queue and HTTP, which cost the same with and without, are not
measured. What the model finds not clean in dev rows and `tests/data` is read again between pleasant sentences, of which
the table might make too much: those of `tests/data/pleasant.txt`, and those that the table holds for the cleanest of
all held-out texts. Processor time counts on a busy machine, texts per second only on a quiet one.
"""

import argparse
import itertools
import math
import os
import random
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from bundles.cascade import cascade_of
from bundles.sources.resolver import resolve
from bundles.text.normalise import normalise
from shared.messages import TextItem
from shared.settings import load_settings
from shared.verdict import Verdict
from training.data.parts import COMMENTS, held_texts
from training.data.sets import TextSet, dev_sets, unseen_sets
from training.data.sources import TEST_DATA, Row, read_folder, read_table
from worker.inference.cascade import Cascade, build_cascade
from worker.inference.classifier import Classifier
from worker.inference.tokenizer import BundleTokenizer
from worker.inference.verdict import Judge
from worker.main import build_classifier

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "performance" / "cascade.md"
START, END = "<!-- tables of python -m bench.cascade -->", "<!-- end of the tables -->"
COMMENTS_FILE = Path(__file__).with_name("comments.txt")
TEXTS_PER_MESSAGE = 32
TEXTS_PER_TURN = 1_000
TIMED_TEXTS = 2_000
TIMEOUT_S = 600
FAR = 0.1
PLEASANT = TEST_DATA / "pleasant.txt"
PADDING = {"one before": (1, 0), "one after": (0, 1), "one on each side": (1, 1), "two on each side": (2, 2)}
CLEANEST, CLEANEST_TOKENS = 60, 18
PADDED = "tests/data and dev rows"
GRAVE = {"curse", "threat"}


class Turn(NamedTuple):
    """What some texts of one set took: processor milliseconds a text, and texts per second."""

    name: str
    processor_ms: float
    per_s: float


class Side:
    """The worker's classifier with CASCADE on or off, and its time of each turn."""

    def __init__(self, model: str, cascade: str) -> None:
        self.classifier: Classifier = build_classifier(load_settings(model=model, cascade=cascade))
        self.turns: list[Turn] = []

    def run(self, name: str, texts: Sequence[str]) -> list[Verdict]:
        """The verdicts on `texts`, sent as messages of a queue would bring them."""
        started, processor_s = time.perf_counter(), time.process_time()
        found: dict[int, Verdict] = {}
        for first in range(0, len(texts), TEXTS_PER_MESSAGE):
            items = [TextItem(first + at, text) for at, text in enumerate(texts[first : first + TEXTS_PER_MESSAGE])]
            for group in self.classifier.answers_as_done(items, time.time() + TIMEOUT_S):
                found.update((answer.id, answer.verdict) for answer in group if answer.verdict is not None)
        if len(found) != len(texts):
            sys.exit("a text has no verdict")
        processor_ms = 1000 * (time.process_time() - processor_s) / len(texts)
        self.turns.append(Turn(name, processor_ms, len(texts) / (time.perf_counter() - started)))
        return [found[at] for at in range(len(texts))]


@dataclass
class Count:
    """What the cascade did to some texts."""

    texts: int = 0
    answered: int = 0
    same: int = 0
    bad: int = 0
    lost: int = 0
    grave: int = 0
    grave_lost: int = 0
    moved: float = 0.0
    far: int = 0

    def add(self, off: Verdict, on: Verdict, *, is_answered: bool) -> None:
        """Count one text by its verdicts."""
        is_bad = off.classification != "clean"
        is_grave = bool(GRAVE & set(off.labels))
        is_lost = is_bad and on.classification == "clean"
        moved = abs(off.scores["clean"] - on.scores["clean"])
        self.texts += 1
        self.answered += is_answered
        self.same += set(off.labels) == set(on.labels)
        self.bad += is_bad
        self.lost += is_lost
        self.grave += is_grave
        self.grave_lost += is_grave and is_lost
        self.moved += moved if is_answered else 0.0
        self.far += is_answered and moved > FAR

    def row(self, name: str) -> str:
        """A row of the table."""
        answered = max(self.answered, 1)
        return (
            f"| {name} | {self.texts:,} | {self.answered / self.texts:.1%} | {self.same / self.texts:.2%} "
            f"| {self.lost} of {self.bad:,} | {self.grave_lost} of {self.grave:,} "
            f"| {self.moved / answered:.4f} | {self.far / answered:.2%} |"
        )


SETS_HEAD = "| set | texts | goal | off | on |\n|---|---|---|---|---|"
HEAD = (
    "| texts | number | answered | labels as the model's | not clean, lost | curses and threats, lost "
    "| score of `clean` moves by | by more than 0.1 |\n|---|---|---|---|---|---|---|---|"
)


class Bench:
    """Both sides, and what was counted by the name of a set."""

    def __init__(self, model: str) -> None:
        self.off, self.on = Side(model, "off"), Side(model, "on")
        cascade = self.on.classifier.cascade
        if not isinstance(cascade, Cascade):
            sys.exit("the model has no cascade that can be used: python -m training.cascade")
        self.cascade: Cascade = cascade
        self.counts: dict[str, Count] = {}
        self.is_bad: dict[str, tuple[bool, bool]] = {}  # by text: not clean with the cascade off, and on

    def run(self, named: Sequence[tuple[str, str]]) -> None:
        """Read texts `(set, text)` on both sides, a thousand of a set at a time; the side that begins changes."""
        for name, group in itertools.groupby(sorted(named, key=itemgetter(0)), key=itemgetter(0)):
            texts = [text for _, text in group]
            for first in range(0, len(texts), TEXTS_PER_TURN):
                self._turn(name, texts[first : first + TEXTS_PER_TURN])

    def _turn(self, name: str, texts: Sequence[str]) -> None:
        both = self.judge(name, texts)
        count = self.counts.setdefault(name, Count())
        for (off, on), is_answered in zip(both, self.certain(texts), strict=True):
            count.add(off, on, is_answered=is_answered)

    def judge(self, name: str, texts: Sequence[str]) -> list[tuple[Verdict, Verdict]]:
        """The verdicts with the cascade off and on, which are kept for the tables of sets; nothing is counted."""
        sides = (self.off, self.on) if len(self.on.turns) % 2 else (self.on, self.off)
        said = {id(side): side.run(name, texts) for side in sides}
        both = list(zip(said[id(self.off)], said[id(self.on)], strict=True))
        for text, (off, on) in zip(texts, both, strict=True):
            self.is_bad[text] = off.classification != "clean", on.classification != "clean"
        return both

    def certain(self, texts: Sequence[str]) -> list[bool]:
        """Which texts the cascade answers."""
        windows = tokenizer_of(self.on.classifier).encode(texts)
        return [self.cascade.logits(own) is not None for own in windows]

    def microseconds(self, texts: Sequence[str]) -> float:
        """Processor time of the cascade alone, for one text, answered or not."""
        windows = tokenizer_of(self.on.classifier).encode(texts)
        took = []
        for _ in range(5):
            started = time.process_time()
            for text in windows:
                self.cascade.logits(text)
            took.append(1e6 * (time.process_time() - started) / len(windows))
        return statistics.median(took)

    def close(self) -> None:
        """Stop the model threads."""
        for side in (self.off, self.on):
            side.classifier.batcher.close()


def padded(bad: Sequence[str], sentences: Sequence[str], said: str) -> list[tuple[str, str]]:
    """`(set, text)`: each bad text with sentences around it, in every way of `PADDING`."""
    drawn = random.Random(17)
    found = []
    for name, (before, after) in PADDING.items():
        for text in bad:
            around = drawn.sample(sentences, before + after)
            found.append((f"{PADDED}, {said}: {name}", " ".join([*around[:before], text, *around[before:]])))
    return found


def read_padded(bench: Bench, held: Sequence[str], dev: Sequence[Row]) -> None:
    """Read what the model finds not clean in dev rows and test sets again, between sentences that speak for clean."""
    known = dict.fromkeys([*(row.text for row in dev), *(text for _, text in test_texts())])
    bad = [text for text in known if text in bench.is_bad and bench.is_bad[text][0]]
    pleasant = [text for text in PLEASANT.read_text(encoding="utf-8").splitlines() if text.strip()]
    bench.run(padded(bad, pleasant, "pleasant sentences"))
    bench.run(padded(bad, cleanest(bench, held), "the table's cleanest"))


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


def tokenizer_of(classifier: Classifier) -> BundleTokenizer:
    """A tokenizer as the classifier has it."""
    return BundleTokenizer(classifier.bundle, max_windows=10_000)


def test_texts() -> list[tuple[str, str]]:
    """The texts of `tests/data` by file."""
    columns = ("text", "plain", "obfuscated")
    found = [
        (f"tests/data/{path.name}", record[column])
        for path in sorted(TEST_DATA.glob("*.tsv"))
        for record in read_table(path)
        for column in columns
        if record.get(column)
    ]
    return [(name, text) for name, text in found if normalise(text)]


def data_folder(named: Path | None) -> Path:
    """Where the labelled files are, if anywhere."""
    return named or Path(os.environ.get("KOBERT_DATA") or ROOT.parent / "shared" / "data")


def set_rows(bench: Bench, sets: Sequence[TextSet]) -> list[str]:
    """A row for each set of which texts were read: the share not clean with the cascade off, and on."""
    rows = []
    for found in sets:
        said = [bench.is_bad[text] for text in found.texts if text in bench.is_bad]
        if said:
            goal = "" if found.limit is None else f"{'>=' if found.bad else '<='} {found.limit:.1%}"
            off, on = (statistics.mean(text[side] for text in said) for side in (0, 1))
            rows.append(f"| {found.name} | {len(said):,} | {goal} | {off:.1%} | {on:.1%} |")
    return rows


def tables(bench: Bench, held: int, dev: Sequence[Row]) -> str:
    """What was found, in Markdown."""
    everything = Count()
    by_source = {name: count for name, count in bench.counts.items() if not name.startswith("tests/")}
    for count in by_source.values():
        for field in vars(count):
            setattr(everything, field, getattr(everything, field) + getattr(count, field))
    rows = [everything.row("all"), *(count.row(name) for name, count in sorted(by_source.items()))]
    rows += [count.row(name) for name, count in sorted(bench.counts.items()) if name not in by_source]
    bundle = bench.on.classifier.bundle
    timed = [text for text in COMMENTS_FILE.read_text().splitlines() if text.strip()][:TIMED_TEXTS]
    lines = [
        f"`{bundle.config.name}` {bundle.revision}, {held:,} held-out texts:",
        "",
        HEAD,
        *rows,
        "",
        "The sets of [the report](../model.md), the share of each that is not `clean` at `standard`:",
        "",
        SETS_HEAD,
        *set_rows(bench, [*dev_sets(dev), *unseen_sets()]),
        "",
        "| medians of turns of 1,000 texts | turns | processor time a text, off | on | off / on | texts/s, off | on |",
        "|---|---|---|---|---|---|---|",
        times("news comments", bench),
        times("all held-out texts", bench),
        "",
        f"The cascade alone takes {bench.microseconds(timed):.1f} µs of processor time a text.",
    ]
    return "\n".join(lines) + "\n"


def times(name: str, bench: Bench) -> str:
    """A row of the table of times, for one set or for all sets but the tests'."""
    pairs = [
        (off, on)
        for off, on in zip(bench.off.turns, bench.on.turns, strict=True)
        if off.name == name or (name != "news comments" and not off.name.startswith("tests/"))
    ]
    if not pairs:
        return f"| {name} | 0 | | | | | |"
    off_ms, on_ms = (statistics.median(pair[side].processor_ms for pair in pairs) for side in (0, 1))
    off_s, on_s = (statistics.median(pair[side].per_s for pair in pairs) for side in (0, 1))
    ratio = statistics.median(off.processor_ms / on.processor_ms for off, on in pairs)
    return f"| {name} | {len(pairs)} | {off_ms:.3f} ms | {on_ms:.3f} ms | {ratio:.2f} | {off_s:,.0f} | {on_s:,.0f} |"


def write(found: str) -> None:
    """Put the tables into the page."""
    before, start, rest = PAGE.read_text(encoding="utf-8").partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        sys.exit(f"{PAGE} lacks its markers")
    PAGE.write_text(f"{before}{START}\n{found}{END}{after}", encoding="utf-8")


def held_and_dev(folder: Path, most: int, *, smoke: bool) -> tuple[list[tuple[str, str]], list[Row]]:
    """`(set, text)` of the held-out texts in `folder`, and its dev rows; comments of ours alone where it is not."""
    if smoke or not folder.is_dir():
        return [("bench/comments.txt", text) for text in COMMENTS_FILE.read_text().splitlines() if text.strip()], []
    rows = read_folder(folder)
    named = [(shown(row.source), row.text) for row in held_texts(rows, most)]
    return named, [row for row in rows if row.split == "dev"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="default")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--count", type=int, default=50_000, help="held-out texts")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    folder = data_folder(options.data)
    if options.smoke and not has_cascade(options.model):
        sys.stdout.write("the model has no cascade\n")
        return
    named, dev = held_and_dev(folder, options.count, smoke=options.smoke)
    bench = Bench(options.model)
    try:
        bench.run(named)
        if not options.smoke:
            bench.run(test_texts())
            bench.judge("tests/field", [row.text for row in dev if row.source == "field"])
            read_padded(bench, [text for _, text in named], dev)
        found = tables(bench, len(named), dev)
    finally:
        bench.close()
    sys.stdout.write(found)
    if options.write:
        write(found)


def shown(source: str) -> str:
    """What a reader knows a source as."""
    return "news comments" if source == COMMENTS else source


def has_cascade(model: str) -> bool:
    """Whether the model has one that can be used."""
    bundle = resolve(load_settings(model=model))
    return isinstance(build_cascade(bundle, Judge(bundle.config, {})), Cascade)


if __name__ == "__main__":
    main()
