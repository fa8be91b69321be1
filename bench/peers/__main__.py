r"""This service beside what a user would pick instead, on one machine, in turns.

    python -m bench.peers --goals    tuned peers, the loads that goals are about, five rounds: 11 minutes
    python -m bench.peers            all of them, both styles, all loads, three rounds: 20 minutes
    python -m bench.peers --smoke    some seconds, ours and the two that need no environment of their own

    python -m bench.peers --goals --write docs/performance/peers.json    and the table of both READMEs
    python -m bench.peers --write docs/performance/peers-all.json        the whole table
    taskset -c 0 python -m bench.peers --goals --only engine ours fastapi mosec \
        --write docs/performance/peers-one-core.json                     on one processor

`tuned` gives the peers what our engine knows: its session options, passes of 512 tokens sorted by length, one on each
processor, and short waits. `plain` is what their documentation shows. Each service is started once and halted (SIGSTOP)
while others are measured; ours idles. Virtual environments are made in `bench/peers/.envs` at the first run, which
takes some minutes more.
"""

import argparse
import platform
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.peers import headline
from bench.peers.contenders import CONTENDERS, ENGINE, ROOT
from bench.peers.environments import set_up
from bench.peers.lineup import Lineup
from bench.peers.loads import CLOSED, GOAL_LOADS, OPEN, Point
from bench.peers.measure import Comparison, Plan, measure_all
from bench.peers.report import Run, goal_table, tables, write
from shared.processors import available_cpus

NAMES = [ENGINE, *(contender.name for contender in CONTENDERS)]
STYLES = ["tuned", "plain"]
LOADS = {load.name: load for load in (*CLOSED, *OPEN)}
ROUNDS, SECONDS = 3, 1.5
GOAL_ROUNDS, GOAL_SECONDS = 5, 1.6
_SMOKE = ["--only", ENGINE, "ours", "fastapi", "celery", "--style", "tuned", "--rounds", "1", "--seconds", "0.6"]
_SMOKE_LOADS = ["--load", "8 clients", "4 x 64", "50% of capacity"]


def main(arguments: list[str]) -> int:
    options = options_of(arguments)
    # A halted service would outlive a comparison that ends without a word.
    signal.signal(signal.SIGTERM, _end)
    options.logs.mkdir(parents=True, exist_ok=True)
    missing = set_up(options.only)
    plan = Plan([LOADS[name] for name in LOADS if name in options.load], options.rounds, options.seconds)
    comparison = Comparison(plan, with_engine=ENGINE in options.only)
    chosen = [name for name in options.only if name not in missing]
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as data,
        Lineup(chosen, options.style, Path(data), options.logs) as lineup,
    ):
        points = measure_all(comparison, lineup, options.logs)
    if options.write:
        _write(points, options)
    sys.stdout.write(f"{goal_table(points)}\n{tables(points)}")
    return 0


def _end(*_: object) -> None:
    """End once: whoever sends a second signal, as `timeout` does, must not end what stops the services."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(1)


def options_of(arguments: list[str]) -> argparse.Namespace:
    """What was asked for, with what `--goals` stands for."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.peers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--goals", action="store_true", help="tuned peers, the loads of the goals, five rounds")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--style", nargs="+", choices=STYLES)
    names = ", ".join(LOADS).replace("%", "%%")
    parser.add_argument("--load", nargs="+", choices=LOADS, metavar="LOAD", help=names)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float, help="of each run, after a quarter of that to warm up")
    parser.add_argument("--write", type=Path, metavar="FILE.json", help="keep it there, and write the page")
    parser.add_argument("--logs", type=Path, default=ROOT / "build" / "peers", help="logs, and points as they come")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args(arguments)
    if options.smoke:
        options = parser.parse_args([*arguments, *_SMOKE, *_SMOKE_LOADS])
    options.command = _command(options)
    goal_loads = [load.name for load in GOAL_LOADS]
    options.style = options.style or (["tuned"] if options.goals else STYLES)
    options.load = options.load or (goal_loads if options.goals else list(LOADS))
    options.rounds = options.rounds or (GOAL_ROUNDS if options.goals else ROUNDS)
    options.seconds = options.seconds or (GOAL_SECONDS if options.goals else SECONDS)
    return options


def _command(options: argparse.Namespace) -> str:
    """The command that measures the same again: nothing of where logs lie or the report goes."""
    return " ".join(["python -m bench.peers", *_words(options)])


def _words(options: argparse.Namespace) -> Iterator[str]:
    if options.goals:
        yield "--goals"
    if options.only != NAMES:
        yield from ("--only", *options.only)
    for name in ("style", "load"):
        if chosen := getattr(options, name):
            yield f"--{name}"
            yield from (f'"{value}"' if " " in value else value for value in chosen)
    for name in ("rounds", "seconds"):
        if (value := getattr(options, name)) is not None:
            yield f"--{name} {value:g}"


def _write(points: list[Point], options: argparse.Namespace) -> None:
    machine = platform.machine()
    run = Run(options.command, available_cpus(), machine, options.rounds, options.seconds, points)
    write(run, options.write)
    if options.write.resolve() == headline.POINTS:
        headline.write(ROOT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
