"""Does a job lose or double a row when a process is killed? Kills one at a random moment of each of many jobs.

    python -m bench.chaos                     20 trials each with a worker, the store and the API killed
    python -m bench.chaos --kill worker       only workers
    python -m bench.chaos --smoke             one small trial of each kind

Two workers run, with an engine whose scores say which text they belong to (`tests/support/echo.py`); everything else is
the product. Whatever is killed is started again, as a supervisor would. A trial counts when the job is completed and
each row has come back once, in order, with its own scores.
"""

import argparse
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.support.echo import echo_scores, write_echo_bundle
from tests.support.jobs import done_rows, finish, result_lines, submit_texts
from tests.support.stack import ROOT, Part, Stack, wait_until

KINDS = ("worker", "store", "api")
JOB_TIMEOUT_S = 300
RESTART_S = 0.5
SMOKE_LEASE_S = 4


def kill_one(stack: Stack, kind: str, chance: random.Random) -> None:
    """SIGKILL, a short absence, and a fresh process in its place."""
    if kind == "worker":
        victim = chance.choice([worker for worker in stack.workers if worker.is_running])
        victim.kill(signal.SIGKILL)
        time.sleep(RESTART_S)
        stack.add_worker()
        return
    part: Part = stack.store if kind == "store" else stack.api
    part.kill(signal.SIGKILL)
    time.sleep(RESTART_S)
    if kind == "store":
        stack.start_store()
    else:
        part.start()
        stack.wait_ready(1)


def trial(stack: Stack, kind: str, rows: int, chance: random.Random) -> tuple[int, int, float]:
    """Rows lost and rows doubled or wrong, and the seconds from the kill to the job's end."""
    stack.wait_ready(2)
    texts = [f"{kind} {chance.random()} {number}" for number in range(rows)]
    job = submit_texts(stack, texts)
    moment = int(chance.uniform(0.02, 0.9) * rows)
    wait_until(lambda: done_rows(stack, job) >= moment, f"{moment} rows", JOB_TIMEOUT_S)
    killed_at = time.monotonic()
    kill_one(stack, kind, chance)
    finish(stack, job, JOB_TIMEOUT_S)
    elapsed_s = time.monotonic() - killed_at
    lines = result_lines(stack, job)
    found = [line["text"] for line in lines]
    lost = len(set(texts) - set(found))
    is_right = found == texts and all(line["scores"] == echo_scores(line["text"]) for line in lines)
    return lost, (0 if is_right else max(1, len(found) - len(set(found)))), elapsed_s


def run(kind: str, trials: int, rows: int, seed: int, **settings: float) -> bool:
    """All trials of one kind, on a service of their own with `settings`; whether each was complete."""
    chance = random.Random(seed)
    complete, lost_rows, wrong_rows, times = 0, 0, 0, []
    with tempfile.TemporaryDirectory(prefix="kt-") as folder:
        stack = Stack(
            Path(folder), write_echo_bundle(Path(folder) / "echo"), echo_pass_s=0.004, checkout=ROOT, **settings
        )
        try:
            stack.start(workers=2)
            for number in range(1, trials + 1):
                lost, wrong, elapsed_s = trial(stack, kind, rows, chance)
                complete += not lost and not wrong
                lost_rows += lost
                wrong_rows += wrong
                times.append(elapsed_s)
                sys.stdout.write(
                    f"{kind} {number}/{trials}: {lost} lost, {wrong} wrong, {elapsed_s:.1f} s to the end\n"
                )
                sys.stdout.flush()
        finally:
            stack.stop()
    times.sort()
    sys.stdout.write(
        f"{kind} killed: {complete} of {trials} jobs of {rows:,} rows complete, {lost_rows} rows lost, "
        f"{wrong_rows} doubled or wrong; from the kill to the end "
        f"{times[0]:.1f} / {times[len(times) // 2]:.1f} / {times[-1]:.1f} s\n"
    )
    return complete == trials


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kill", choices=KINDS, action="append")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    trials, rows = (1, 2_000) if options.smoke else (options.trials, options.rows)
    # What a killed worker held is given out again when its lease has run out.
    settings: dict[str, float] = {"job_lease_s": SMOKE_LEASE_S} if options.smoke else {}
    passed = [run(kind, trials, rows, options.seed, **settings) for kind in options.kill or KINDS]
    sys.exit(0 if all(passed) else 1)


if __name__ == "__main__":
    main()
