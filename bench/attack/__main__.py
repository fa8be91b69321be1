"""What does an attack do to somebody else's requests? Runs each against a service with its defaults, beside victims.

    python -m bench.attack                        every attack, 10 s each: some seventeen minutes
    python -m bench.attack --only trickling_bodies flood
    python -m bench.attack --write                and write docs/attacks.md, the whole of it
    python -m bench.attack --smoke                two attacks for a second each
    python -m bench.attack --smoke --write PAGE   and write a page of these, elsewhere

The service is started as `make run` starts it, all in its defaults but the port and the data folder. Four victims ask
five times a second each, from addresses of their own, in a process of their own: in ten seconds they get 200 answers,
the least of which a p99 is worth its name. The attackers run at low priority: over a
network they would not take the service's processors. A figure is good if the victims' p99 is at most ten times that
without the attack, nothing was refused but by an honest 429 or 503, the API stayed below 150 MiB and all processes
below 512, and the API went back to within 10 MiB of what it had.
"""

import argparse
import contextlib
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx
import psutil

from bench.attack import on_connections, on_doors, on_jobs, on_texts
from bench.attack.memory import Memory
from bench.attack.report import PAGE, Result, write_page
from bench.attack.target import Target
from bench.attack.victim import Seen, live
from tests.support.run import KobertRun

ATTACKS = (*on_connections.ATTACKS, *on_texts.ATTACKS, *on_jobs.ATTACKS, *on_doors.ATTACKS)
SMOKE = ("half_headers", "unfinished_bodies")
NICE = 10
LISTEN_S = 2.0


class Times(NamedTuple):
    """Seconds of each attack: how long it lasts, what is measured before it, and how long the service then rests."""

    attack: float = 10.0
    idle: float = 5.0
    settle: float = 6.0


SMOKE_TIMES = Times(1.0, 1.0, 0.5)


def watch_victims(url: str, duration_s: float, kind: str = "predict") -> Callable[[], Seen]:
    """Start the victims; the answer waits for their end."""
    seen: multiprocessing.Queue[Seen] = multiprocessing.Queue()
    process = multiprocessing.Process(target=live, args=(url, duration_s, kind, seen), daemon=True)
    process.start()

    def finish() -> Seen:
        found = seen.get(timeout=duration_s + 60)
        process.join()
        return found

    return finish


def _take_what_is_left() -> None:
    """Leave the processors to all others. Linux divides them among sessions first, and in these by niceness."""
    os.nice(NICE)
    os.setsid()
    with contextlib.suppress(OSError):  # a kernel that does not
        Path("/proc/self/autogroup").write_text(str(NICE))


def attack_from(name: str, host: str, port: int, duration_s: float) -> None:
    _take_what_is_left()
    attack = next(attack for attack in ATTACKS if attack.__name__ == name)
    attack(Target(host, port, time.monotonic() + duration_s))


def delete_jobs(url: str) -> None:
    """Remove what an attack has left, so that the next one finds the service idle."""
    with httpx.Client(base_url=url, timeout=60) as client:
        while jobs := client.get("/jobs", params={"limit": 100}).json()["data"]:
            for job in jobs:
                client.delete(f"/jobs/{job['id']}")


def run_one(attack: Callable[[Target], None], service: KobertRun, times: Times) -> Result:
    kind = "upload" if "upload" in attack.__name__ else "predict"
    parts = urlsplit(service.url)
    # Just before each attack, since other work on the machine comes and goes.
    idle = watch_victims(service.url, times.idle, kind)()
    with Memory(service.pid, service.api.pid) as memory:
        before = memory.api_now()
        arguments = (attack.__name__, parts.hostname, parts.port, times.attack + 2)
        attacker = multiprocessing.Process(target=attack_from, args=arguments, daemon=True)
        attacker.start()
        time.sleep(2)
        seen = watch_victims(service.url, times.attack, kind)()
        attacker.join(15)
        attacker.kill()
        delete_jobs(service.url)
        time.sleep(times.settle)
        growth = memory.api_now() - before
    what = " ".join((attack.__doc__ or "").split())
    return Result(attack.__name__, what, idle, seen, memory.api_peak, memory.all_peak, growth)


def show(result: Result) -> str:
    return (
        f"{result.name}: p99 {result.seen.p99_ms():.0f} ms (x{result.ratio:.1f}), "
        f"{result.seen.share_refused():.0%} refused, {result.seen.errors()} errors, API {result.api_peak:.0f} MiB, "
        f"all {result.all_peak:.0f} MiB, after it {result.growth:+.0f} MiB"
        + "".join(f"\n    NOT GOOD: {fault}" for fault in result.faults())
    )


def run_all(names: Sequence[str], times: Times) -> list[Result]:
    results = []
    with tempfile.TemporaryDirectory(prefix="kt-") as folder, KobertRun(Path(folder)) as service:
        watch_victims(service.url, 2)()  # the first requests of a service are slower
        for attack in ATTACKS:
            if attack.__name__ in names:
                results.append(run_one(attack, service, times))
                sys.stdout.write(f"{show(results[-1])}\n")
                sys.stdout.flush()
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    every = [attack.__name__ for attack in ATTACKS]
    parser.add_argument("--only", nargs="+", choices=every, default=every, metavar="ATTACK")
    parser.add_argument("--seconds", type=float, default=Times().attack)
    parser.add_argument("--write", nargs="?", type=Path, const=PAGE, metavar="PAGE", help=f"by default {PAGE.name}")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    if options.write == PAGE and (options.smoke or options.only != every):
        parser.error("docs/attacks.md has all attacks; leave out --only and --smoke, or say where to write")
    names = SMOKE if options.smoke else options.only
    others = psutil.cpu_percent(LISTEN_S)
    results = run_all(names, SMOKE_TIMES if options.smoke else Times(attack=options.seconds))
    if options.write is not None:
        after = psutil.cpu_percent(LISTEN_S)
        others_said = (
            f"{others:.0f} % of them busy with other work before the first attack, {after:.0f} % after the last"
        )
        write_page(options.write, results, others_said)
    if options.smoke:  # that it runs; a second measures nothing
        sys.exit(0 if len(results) == len(SMOKE) else 1)
    sys.exit(1 if any(result.faults() for result in results) else 0)


if __name__ == "__main__":
    main()
