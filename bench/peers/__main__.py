"""This service beside what a user would pick instead, on one machine, in turns.

    python -m bench.peers                          all of them, five rounds: about an hour
    python -m bench.peers --only ours fastapi mosec --style tuned --rounds 5
    python -m bench.peers --write docs/performance  writes the report there
    python -m bench.peers --smoke                  a few seconds, ours and the two that need no environment of their own

`tuned` gives the peers what our engine knows: its session options, passes of 512 tokens sorted by length, short waits.
`plain` is what their documentation shows. Virtual environments are made in `bench/peers/.envs` at the first run.
"""

import argparse
import platform
import sys
import tempfile
from pathlib import Path

from bench.peers.contenders import CONTENDERS, ROOT
from bench.peers.environments import set_up
from bench.peers.measure import CLOSED, OPEN, Comparison, measure_all
from bench.peers.report import table, write
from shared.processors import available_cpus

_NAMES = [contender.name for contender in CONTENDERS]
_LOADS = {load.name: load for load in (*CLOSED, *OPEN)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=_NAMES, default=_NAMES, metavar="NAME", help=", ".join(_NAMES))
    parser.add_argument("--style", nargs="+", choices=["tuned", "plain"], default=["tuned", "plain"])
    names = ", ".join(_LOADS).replace("%", "%%")
    parser.add_argument("--load", nargs="+", choices=_LOADS, default=list(_LOADS), metavar="LOAD", help=names)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each run, after a quarter of that to warm up")
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="write the report there")
    parser.add_argument("--logs", type=Path, default=ROOT / "build" / "peers", help="logs, and points as they come")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    if options.smoke:
        options.only, options.rounds, options.seconds = ["ours", "fastapi", "celery"], 1, 0.6
        options.style, options.load = ["tuned"], ["8 clients", "4 x 64", "50% of capacity"]
    options.logs.mkdir(parents=True, exist_ok=True)
    missing = set_up(options.only)
    chosen = [name for name in options.only if name not in missing]
    loads = [_LOADS[name] for name in _LOADS if name in options.load]
    with tempfile.TemporaryDirectory(prefix="kt-") as data:
        comparison = Comparison(Path(data), options.logs, options.seconds, loads)
        points = measure_all(comparison, chosen, options.style, options.rounds, options.logs)
    if options.write:
        write(points, options.write, _head(sys.argv))
    sys.stdout.write(table(points))
    return 0


def _head(arguments: list[str]) -> str:
    command = " ".join(["python -m bench.peers", *arguments[1:]])
    return (
        f"# Beside other servers\n\n"
        f"Written by `{command}` on {available_cpus()} processors ({platform.machine()}); do not edit. Texts a "
        f"second, latencies and processor time as min / median / max over the rounds; the ratio is taken within a "
        f"round. Memory is resident, summed over all processes of a service.\n"
    )


if __name__ == "__main__":
    sys.exit(main())
