"""What is lost when something breaks? Injects each fault many times under load, and writes docs/reliability.md.

    python -m bench.faults                     every fault, 20 trials each, four at a time: twenty minutes
    python -m bench.faults --only worker_killed store_frozen
    python -m bench.faults --write             and write docs/reliability.md; faults left out keep their rows
    python -m bench.faults --smoke             one small trial of one fault

Two workers run with an engine whose scores say which text they belong to (`tests/support/echo.py`); all else is the
product, in its defaults but for a lease of 4 s. In each trial a job is under way and ten texts a second are sent to
`/predict`. What was killed is started again, as a supervisor would; nothing else is done by hand. A trial is good when
each row of the job has come back once with its own scores, and each text was answered once with its own, or refused
by name.
"""

import argparse
import os
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path

import httpx

from tests.support.echo import echo_scores, write_echo_bundle
from tests.support.jobs import done_rows, finish, result_lines, submit_texts
from tests.support.stack import Part, Stack, wait_until

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reliability.md"
LEASE_S, FROZEN_S, RESTART_S = 4, 6.0, 0.5
PREDICT_EVERY_S, PROMPT_S, CALM_S = 0.1, 1.0, 2.0
JOB_TIMEOUT_S = 300
MIB = 1 << 20


def killed(part: Part, number: signal.Signals) -> None:
    part.kill(number)
    time.sleep(RESTART_S)
    part.start()


def frozen(part: Part) -> None:
    """Stopped for longer than a lease, then let go on."""
    os.kill(part.pid, signal.SIGSTOP)
    time.sleep(FROZEN_S)
    os.kill(part.pid, signal.SIGCONT)


def full(stack: Stack) -> None:
    """No room for another byte, for some seconds."""
    with stack.redis() as redis:
        redis.config_set("maxmemory", 1)
        time.sleep(FROZEN_S)
        redis.config_set("maxmemory", 0)


def silent(stack: Stack) -> None:
    """Connections stay, and nothing is answered for some seconds."""
    with stack.redis() as redis:
        redis.client_pause(int(FROZEN_S * 1000))
        time.sleep(FROZEN_S)


def cut(stack: Stack) -> None:
    """Every connection is closed from the other side, again and again."""
    for _ in range(10):
        with stack.redis() as redis:
            redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        time.sleep(FROZEN_S / 20)


def rolled(stack: Stack) -> None:
    """Both workers are restarted in turn, as an upgrade does."""
    for worker in stack.workers:
        killed(worker, signal.SIGTERM)
        stack.wait_ready(2)


FAULTS: dict[str, tuple[str, Callable[[Stack], None]]] = {
    "worker_killed": ("one of two workers gets SIGKILL", lambda s: killed(s.workers[0], signal.SIGKILL)),
    "worker_ended": ("one of two workers gets SIGTERM", lambda s: killed(s.workers[0], signal.SIGTERM)),
    "worker_frozen": ("one of two workers stands still past its lease, then goes on", lambda s: frozen(s.workers[0])),
    "workers_rolled": ("both workers are restarted in turn", rolled),
    "api_killed": ("the API gets SIGKILL", lambda s: killed(s.api, signal.SIGKILL)),
    "api_ended": ("the API gets SIGTERM", lambda s: killed(s.api, signal.SIGTERM)),
    "store_killed": ("the store gets SIGKILL", lambda s: (s.store.kill(), time.sleep(RESTART_S), s.start_store())[0]),
    "store_frozen": ("the store stands still, then goes on", lambda s: frozen(s.store)),
    "store_silent": ("the store keeps its connections and answers nothing for a while", silent),
    "store_cut": ("all connections to the store are cut, ten times in three seconds", cut),
    "store_full": ("the store has no room for a while", full),
}


@dataclass
class Count:
    """What became of rows and texts; `cut` are callers whose connection ended with the API's process."""

    accepted: int = 0
    answered: int = 0
    failed: int = 0
    lost: int = 0
    doubled: int = 0
    cut: int = 0
    recovery_s: list[float] = field(default_factory=list)


class Callers:
    """Sends a text every tenth of a second until it is stopped; each call is a thread of its own."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._goes_on = True
        self.calls: list[tuple[float, float, int]] = []  # sent at, ended at, status; 0: cut off; -1: another's scores
        self.waiting: dict[str, float] = {}  # texts without an answer, and when they were sent
        self._thread = threading.Thread(target=self._send_all)
        self._thread.start()

    def stop(self) -> None:
        self._goes_on = False
        self._thread.join()

    def _send_all(self) -> None:
        calls: list[threading.Thread] = []
        while self._goes_on:
            calls.append(threading.Thread(target=self._send, args=(f"text {time.monotonic_ns()}",)))
            calls[-1].start()
            time.sleep(PREDICT_EVERY_S)
        for call in calls:
            call.join()

    def _send(self, text: str) -> None:
        sent_at = self.waiting[text] = time.monotonic()
        try:
            answer = httpx.post(f"{self._url}/predict", json={"text": text}, timeout=60)
            status = answer.status_code
            is_own = answer.json()["scores"] == echo_scores(text) if status == httpx.codes.OK else None
            if is_own is False or (is_own is None and not answer.json()["error"]["code"]):
                status = -1
        except (httpx.HTTPError, KeyError, ValueError):
            status = 0
        self.calls.append((sent_at, time.monotonic(), status))
        del self.waiting[text]


def trial(stack: Stack, inject: Callable[[Stack], None], rows: int, count: Count) -> None:
    stack.wait_ready(2)
    texts = [f"row {time.monotonic_ns()} {number}" for number in range(rows)]
    job = submit_texts(stack, texts)
    wait_until(lambda: done_rows(stack, job) > 0, "the first row", JOB_TIMEOUT_S)
    callers = Callers(stack.url)
    try:
        time.sleep(0.5)
        began = time.monotonic()
        inject(stack)
        time.sleep(CALM_S)
        wait_until(lambda: _is_calm(callers), "calm after the fault", JOB_TIMEOUT_S)
    finally:
        callers.stop()
    finish(stack, job, JOB_TIMEOUT_S)
    _add_rows(count, texts, result_lines(stack, job))
    _add_calls(count, callers.calls, began)


def _is_calm(callers: Callers) -> bool:
    """Whether every text of the last two seconds was answered promptly."""
    now = time.monotonic()
    is_late = any(now - sent_at > PROMPT_S for sent_at in list(callers.waiting.values()))
    recent = [call for call in list(callers.calls) if call[1] > now - CALM_S]
    has_enough = len(recent) > CALM_S / PREDICT_EVERY_S / 2
    return has_enough and not is_late and all(_is_good(call) for call in recent)


def _is_good(call: tuple[float, float, int]) -> bool:
    sent_at, ended_at, status = call
    return status == httpx.codes.OK and ended_at - sent_at < PROMPT_S


def _add_rows(count: Count, texts: list[str], lines: list[dict[str, object]]) -> None:
    found = [line["text"] for line in lines]
    count.accepted += len(texts)
    count.answered += sum("scores" in line and line["scores"] == echo_scores(str(line["text"])) for line in lines)
    count.failed += sum("error" in line for line in lines)
    count.lost += len(set(texts) - set(found))
    count.doubled += len(found) - len(set(found))


def _add_calls(count: Count, calls: list[tuple[float, float, int]], began: float) -> None:
    statuses = [status for _, _, status in calls]
    count.accepted += len(calls)
    count.answered += statuses.count(httpx.codes.OK)
    count.cut += statuses.count(0)
    count.lost += statuses.count(-1)
    count.failed += sum(status > httpx.codes.OK for status in statuses)
    count.recovery_s.append(max([0.0, *(call[1] - began for call in calls if call[1] > began and not _is_good(call))]))


def run(name: str, trials: int, rows: int) -> Count:
    count = Count()
    with tempfile.TemporaryDirectory(prefix="kt-") as folder:
        bundle = write_echo_bundle(Path(folder) / "echo")
        stack = Stack(Path(folder), bundle, echo_pass_s=0.004, job_lease_s=LEASE_S)
        try:
            stack.start(workers=2)
            for _ in range(trials):
                trial(stack, FAULTS[name][1], rows, count)
        finally:
            stack.stop()
    sys.stdout.write(row(name, trials, count))
    sys.stdout.flush()
    return count


def row(name: str, trials: int, count: Count) -> str:
    p50, most = statistics.median(count.recovery_s), max(count.recovery_s)
    return (
        f"| {FAULTS[name][0]} | {trials} | {count.accepted:,} | {count.answered:,} | {count.failed:,} | {count.cut:,} "
        f"| {count.lost} | {count.doubled} | {p50:.1f} | {most:.1f} |\n"
    )


HEAD = """# Reliability

What is lost when something breaks, as `.venv/bin/python -m bench.faults --write` measured it. In each trial a job of
{rows:,} rows is under way on two workers, and ten texts a second are sent to `/predict`. What was killed is started
again half a second later, as a supervisor does; nothing else is done by hand. The engine is one whose scores say which
text they belong to.

- **accepted**: rows of jobs and texts of `/predict`; **answered**: each once, with its own scores;
- **failed by name**: an error in the usual form: a 503 while the store is away, a 504 at the deadline;
- **cut**: texts whose connection ended with the process of the API, which no server can answer;
- **recovery**: seconds from the fault until every text is answered within a second again. What stands still does so for
  {frozen:.0f} s, which are included.

| fault | trials | accepted | answered | failed by name | cut | lost | doubled | recovery p50 | max |
|---|---|---|---|---|---|---|---|---|---|
"""


def write_page(rows: dict[str, str], row_count: int) -> None:
    """Write the rows of this run; those of faults that it left out stay as they were."""
    before = PAGE.read_text(encoding="utf-8").splitlines(keepends=True) if PAGE.exists() else []
    kept = {name: line for name, (what, _) in FAULTS.items() for line in before if line.startswith(f"| {what} |")}
    table = "".join({**kept, **rows}[name] for name in FAULTS if name in {**kept, **rows})
    PAGE.write_text(HEAD.format(rows=row_count, frozen=FROZEN_S) + table, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=FAULTS, default=list(FAULTS), metavar="FAULT")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument("--parallel", type=int, default=4, help="faults at a time, each with a service of its own")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    names, trials = (["worker_killed"], 1) if options.smoke else (options.only, options.trials)
    with ProcessPoolExecutor(options.parallel) as pool:
        found = pool.map(run, names, repeat(trials), repeat(options.rows))
        counts = dict(zip(names, found, strict=True))
    if options.write:
        write_page({name: row(name, trials, count) for name, count in counts.items()}, options.rows)
    sys.exit(0 if not any(count.lost or count.doubled for count in counts.values()) else 1)


if __name__ == "__main__":
    main()
