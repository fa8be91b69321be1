"""One trial: a job and many texts, a fault in their middle, and what became of each row and text."""

import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from bench.faults.callers import CALM_S, CUT, PROMPT_S, WRONG, Call, Callers
from bench.faults.injections import FAULTS, Fault
from bench.faults.service import Service
from tests.support.echo import echo_scores, write_echo_bundle
from tests.support.jobs import done_rows, finish, result_lines, submit_texts
from tests.support.stack import wait_until

JOB_TIMEOUT_S = 300


@dataclass
class Count:
    """What became of rows and texts; `cut`: the API ended while a caller was connected, or it found none.

    `names`: how often each error's name was seen. `error`: why the trials ended early, if they did.
    """

    trials: int = 0
    accepted: int = 0
    answered: int = 0
    failed: int = 0
    lost: int = 0
    doubled: int = 0
    cut: int = 0
    recovery_s: list[float] = field(default_factory=list)
    names: Counter[str] = field(default_factory=Counter)
    error: str = ""


@dataclass(frozen=True)
class Plan:
    """Up to `trials` trials of `rows` rows; none begins after `until`, on the clock of `time.time`.

    A trial goes on until texts are answered within `prompt_s` again.
    """

    trials: int
    rows: int
    until: float
    prompt_s: float = PROMPT_S


def run(name: str, plan: Plan) -> Count:
    """The trials of a plan, on one service."""
    count = Count()
    try:
        _try_all(FAULTS[name], count, plan)
    except Exception as error:  # noqa: BLE001  whatever ends a trial, those before it count
        count.error = f"{type(error).__name__}: {error}"
    return count


def _try_all(fault: Fault, count: Count, plan: Plan) -> None:
    with tempfile.TemporaryDirectory(prefix="kt-") as folder:
        bundle = write_echo_bundle(Path(folder) / "echo")
        with Service(
            Path(folder), bundle, fault.workers, fault.apis, has_one_socket=fault.has_one_socket, **fault.settings
        ) as service:
            while count.trials < plan.trials and time.time() < plan.until:
                _try(service, fault, plan, count)
                if count.trials % 5 == 0:
                    sys.stderr.write(f"{fault.what}: {count}\n")


def _try(service: Service, fault: Fault, plan: Plan, count: Count) -> None:
    service.wait_ready(fault.workers)
    texts = [f"row {time.monotonic_ns()} {number}" for number in range(plan.rows)]
    if fault.row is not None:
        # A new one each time: workers remember a text that ended one of them.
        service.deadly_text = f"{fault.row} {time.monotonic_ns()}"
        texts.insert(plan.rows // 2, service.deadly_text)
    job = submit_texts(service, texts)
    wait_until(lambda: done_rows(service, job) > 0, "the first row", JOB_TIMEOUT_S)
    service.callers = callers = Callers(service.urls, plan.prompt_s)
    try:
        time.sleep(0.5)
        began = time.monotonic()
        fault.inject(service)
        time.sleep(CALM_S)
        wait_until(callers.is_calm, "calm after the fault", JOB_TIMEOUT_S)
    finally:
        callers.stop()
    finish(service, job, JOB_TIMEOUT_S)
    _add_rows(count, texts, result_lines(service, job))
    _add_calls(count, callers.calls, began)
    count.trials += 1


def _add_rows(count: Count, texts: list[str], lines: list[dict[str, object]]) -> None:
    found = [line["text"] for line in lines]
    count.accepted += len(texts)
    count.answered += sum("scores" in line and line["scores"] == echo_scores(str(line["text"])) for line in lines)
    count.failed += sum("error" in line for line in lines)
    count.names.update(f"row {line['error']['code']}" for line in lines if "error" in line)  # type: ignore[index]
    count.lost += len(set(texts) - set(found))
    count.doubled += len(found) - len(set(found))


def _add_calls(count: Count, calls: list[Call], began: float) -> None:
    statuses = [call.status for call in calls]
    count.accepted += len(calls)
    count.answered += statuses.count(httpx.codes.OK)
    count.cut += statuses.count(CUT)
    count.lost += statuses.count(WRONG)
    count.failed += sum(status > httpx.codes.OK for status in statuses)
    count.names.update(call.name for call in calls if call.name)
    late = [call.ended_at - began for call in calls if call.ended_at > began and not call.is_good()]
    count.recovery_s.append(max(late, default=0.0))
