"""What an attack did, and the page docs/attacks.md with all of them."""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench.attack.target import VICTIMS
from bench.attack.victim import PER_S, Seen

PAGE = Path(__file__).resolve().parents[2] / "docs" / "attacks.md"
MAX_RATIO, MAX_API_MIB, MAX_ALL_MIB, MAX_GROWTH_MIB = 10.0, 150.0, 512.0, 10.0
HEAD = """# Attacks

What each attack of `bench/attack/` does to somebody else's requests, as `.venv/bin/python -m bench.attack --write`
measured it ({processors} processors, {others}).

The service runs with its defaults, as `make run` starts it, on the same machine as the attackers, which run at low
priority in a session of their own: over a network they would take none of its processors. {victims} victims ask
{per_s} times a second each, from addresses of their own and each time on a new connection; a time counts from when the
request was due. Just before each attack the same is done without one. Against attacks with uploads every fifth request
is an upload: its answer waits for the store's disk.

- **p99**: of the victims' answers without the attack, during it, and how many times as much that is;
- **refused**: the victims' requests that got an honest 429 or 503; **errors**: anything else;
- **API**, **all**: highest memory of the API, and of all processes together, in MiB; **after**: what the API kept.

| attack | what | p99 | refused | errors | API | all | after |
|---|---|---|---|---|---|---|---|
"""
FOOT = """
Good is a p99 of at most {ratio:.0f} times the idle one, no error, at most {api:.0f} MiB in the API and {all:.0f} in all
processes, and at most {growth:.0f} MiB kept.

{faults}

A flood and its victims share the processors of one machine with the service here; against a flood, limit requests by
address in the proxy ([a sample](reverse-proxy.md)).

Attacks on what is off by default are not run here: webhooks (`WEBHOOK_SECRET`), and quotas of keys. Tests hold them;
see [SECURITY.md](../SECURITY.md).
"""


class Result(NamedTuple):
    """What one attack did."""

    name: str
    what: str
    idle: Seen
    seen: Seen
    api_peak: float
    all_peak: float
    growth: float

    @property
    def ratio(self) -> float:
        """The victim's p99 as a multiple of that without the attack."""
        return self.seen.p99_ms() / self.idle.p99_ms()

    def faults(self) -> list[str]:
        """What is not good enough, if anything."""
        checks = {
            f"p99 x{self.ratio:.1f}": self.ratio <= MAX_RATIO,
            f"{self.seen.errors()} errors {self.seen.statuses}": self.seen.errors() == 0,
            f"API {self.api_peak:.0f} MiB": self.api_peak <= MAX_API_MIB,
            f"all {self.all_peak:.0f} MiB": self.all_peak <= MAX_ALL_MIB,
            f"API kept {self.growth:.0f} MiB": self.growth <= MAX_GROWTH_MIB,
        }
        return [fault for fault, is_good in checks.items() if not is_good]


def write_page(page: Path, results: Sequence[Result], others: str) -> None:
    """Write the table, with what was not good named below it; `others` says what else the machine had to do."""
    processors = len(os.sched_getaffinity(0))
    head = HEAD.format(processors=processors, others=others, victims=len(VICTIMS), per_s=PER_S)
    rows = "".join(map(_row, results))
    bad = [f"- `{result.name}`: {', '.join(faults)}" for result in results if (faults := result.faults())]
    said = "**Not good in this run:**\n\n" + "\n".join(bad) if bad else "In this run all of them were."
    foot = FOOT.format(ratio=MAX_RATIO, api=MAX_API_MIB, all=MAX_ALL_MIB, growth=MAX_GROWTH_MIB, faults=said)
    page.write_text(head + rows + foot, encoding="utf-8")


def _row(result: Result) -> str:
    before, during = result.idle.p99_ms(), result.seen.p99_ms()
    p99 = "none answered" if math.isinf(during) else f"{before:.0f} -> {during:.0f} ms, x{result.ratio:.1f}"
    return (
        f"| `{result.name}` | {result.what} | {p99} | {result.seen.share_refused():.0%} | {result.seen.errors()} "
        f"| {result.api_peak:.0f} | {result.all_peak:.0f} | {result.growth:+.0f} |\n"
    )
