"""The tables of docs/performance/cascade.md."""

import statistics
import sys
from collections.abc import Sequence

from bench.cascade.sides import Bench, Count
from bench.cascade.texts import ROOT, comments
from training.data.sets import TextSet, dev_sets, unseen_sets
from training.data.sources import Row

PAGE = ROOT / "docs" / "performance" / "cascade.md"
START, END = "<!-- tables of python -m bench.cascade -->", "<!-- end of the tables -->"
TIMED_TEXTS = 2_000
SETS_HEAD = "| set | texts | goal | off | on |\n|---|---|---|---|---|"
HEAD = (
    "| texts | number | answered | labels as the model's | not clean, lost | curses and threats, lost "
    "| score of `clean` moves by | by more than 0.1 |\n|---|---|---|---|---|---|---|---|"
)


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
    timed = comments()[:TIMED_TEXTS]
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
