"""What is lost when something breaks? Injects each fault many times under load, and writes docs/reliability.md.

    python -m bench.faults                     every fault, 20 trials each, four at a time: an hour
    python -m bench.faults --only worker_killed store_frozen
    python -m bench.faults --write             and write docs/reliability.md; faults left out keep their rows, and a
                                               row is not replaced by one of fewer trials
    python -m bench.faults --minutes 4         end after this time with the trials that there were
    python -m bench.faults --smoke             one small trial of three faults

Two workers run with an engine whose scores say which text they belong to (`tests/support/echo.py`); all else is the
product, in its defaults but for a lease of 4 s. In each trial a job is under way and ten texts a second are sent to
`/predict`. What was killed is started again, as a supervisor would; nothing else is done by hand. A trial is good when
each row of the job has come back once with its own scores, and each text was answered once with its own, or refused
by name.
"""

import argparse
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from bench.faults.callers import PROMPT_S, SMOKE_PROMPT_S
from bench.faults.injections import FAULTS, FROZEN_S
from bench.faults.trial import Count, Plan, run
from bench.pages import replace_section

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
SMOKE = ("worker_killed", "replies_cut", "clock_forward")
HEAD = """## Faults

What is lost when something breaks, as `.venv/bin/python -m bench.faults --write` measured it. In each trial a job of
{rows:,} rows is under way on two workers, and ten texts a second are sent to `/predict`. What was killed is started
again half a second later, as a supervisor does, which also holds the API's socket (`.venv/bin/kobert run`, systemd's
socket units); nothing else is done by hand. The engine is one whose scores say which
text they belong to. Connections to the store lead through a proxy that can delay and cut replies.

- **accepted**: rows of jobs and texts of `/predict`; **answered**: each once, with its own scores;
- **failed by name**: an error in the usual form: a 503 while the store is away, a 504 at the deadline;
- **cut**: texts whose connection ended with the process of the API, which no server can answer, or that found none;
- **recovery**: seconds from the fault until every text is answered within a second again. What stands still does so for
  {frozen:.0f} s, which are included.

The trials were run in parts, four faults at a time, on two processors, most parts with much other work on them (load
10 to 50): recoveries are those of a machine that had no processor free. What a dead worker may have had is read by a
process of its own, so a row that ends each process costs two of them.

| fault | trials | accepted | answered | failed by name | cut | lost | doubled | recovery p50 | max |
|---|---|---|---|---|---|---|---|---|---|
"""


def row(name: str, count: Count) -> str:
    p50, most = statistics.median(count.recovery_s), max(count.recovery_s)
    return (
        f"| {FAULTS[name].what} | {count.trials} | {count.accepted:,} | {count.answered:,} | {count.failed:,} "
        f"| {count.cut:,} | {count.lost} | {count.doubled} | {p50:.1f} | {most:.1f} |\n"
    )


def trials_in(line: str) -> int:
    """The trials of a row; 0 where there is none."""
    return int(line.split("|")[2]) if line else 0


def write_page(rows: dict[str, str], row_count: int) -> None:
    """Write the rows of this run; those of faults that it left out, or tried less often, stay as they were."""
    before = PAGE.read_text(encoding="utf-8").splitlines(keepends=True) if PAGE.exists() else []
    kept = {name: line for name, fault in FAULTS.items() for line in before if line.startswith(f"| {fault.what} |")}
    both = {**rows, **{name: line for name, line in kept.items() if trials_in(line) > trials_in(rows.get(name, ""))}}
    table = "".join(both[name] for name in FAULTS if name in both)
    replace_section(PAGE.name, HEAD.format(rows=row_count, frozen=FROZEN_S) + table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=FAULTS, default=list(FAULTS), metavar="FAULT")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument("--minutes", type=float, default=600, help="no trial begins later than this")
    parser.add_argument("--parallel", type=int, default=4, help="faults at a time, each with a service of its own")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    names, trials = (SMOKE, 1) if options.smoke else (options.only, options.trials)
    prompt_s = SMOKE_PROMPT_S if options.smoke else PROMPT_S
    plan = Plan(trials, options.rows, time.time() + 60 * options.minutes, prompt_s)
    counts: dict[str, Count] = {}
    is_good = True
    with ProcessPoolExecutor(options.parallel) as pool:
        runs = {pool.submit(run, name, plan): name for name in names}
        for ended in as_completed(runs):
            count = ended.result()
            is_good = is_good and not (count.lost or count.doubled or count.error)
            if count.error:
                sys.stdout.write(f"{runs[ended]} ended early: {count.error}\n")
            if count.trials:
                counts[runs[ended]] = count
                sys.stdout.write(row(runs[ended], count))
                for name, times in count.names.most_common():
                    sys.stdout.write(f"    failed as {name}: {times:,}\n")
            sys.stdout.flush()
            if options.write:
                write_page({name: row(name, count) for name, count in counts.items()}, options.rows)
    sys.exit(0 if is_good else 1)


if __name__ == "__main__":
    main()
