"""Does a large job slow `/predict` or small jobs down? Lone requests idle and beside it, in one run; ten small jobs.

    python -m bench.bulk_and_predict                    200,000 rows, 400 requests a round
    python -m bench.bulk_and_predict --model FOLDER     another bundle
    python -m bench.bulk_and_predict --smoke            a few seconds, to show that it runs

Allowed is twice the idle p99 plus one bulk micro-batch: the pass that an interactive text may have to wait for.
"""

import argparse
import asyncio
import itertools
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from bench.load import Connection
from tests.support.jobs import done_rows, finish, submit_texts
from tests.support.stack import Stack, wait_until

COMMENTS = Path(__file__).with_name("comments.txt").read_text().splitlines()
PAUSE_S = 0.03
HEARTBEAT_S = 1.5
SMALL_JOB_TIMEOUT_S = 300


async def lone_requests(url: str, count: int) -> list[float]:
    """Seconds of each of `count` requests, one after the other with a pause between."""
    seconds = []
    async with Connection(url) as connection:
        for number, comment in enumerate(itertools.islice(itertools.cycle(COMMENTS), count)):
            started = time.perf_counter()
            status, _ = await connection.post("/predict", {"text": f"{comment} {number}"})
            seconds.append(time.perf_counter() - started)
            if status != 200:
                raise RuntimeError(f"/predict answered {status}")
            await asyncio.sleep(PAUSE_S)
    return seconds


def figures(name: str, seconds: list[float]) -> float:
    """Prints p50, p99 and the worst in ms; returns the p99 in ms."""
    milliseconds = sorted(second * 1000 for second in seconds)
    p99 = milliseconds[min(len(milliseconds) - 1, int(len(milliseconds) * 0.99))]
    worst = milliseconds[-1]
    sys.stdout.write(f"{name:28s} p50 {statistics.median(milliseconds):6.1f}  p99 {p99:6.1f}  worst {worst:6.1f} ms\n")
    return p99


def bulk_pass_ms(stack: Stack) -> tuple[float, float, float]:
    """Rows in a bulk pass, its milliseconds, and the rows a second of the whole worker, from what it says of itself."""
    before, started = worker_info(stack), time.monotonic()
    time.sleep(HEARTBEAT_S * 2)
    after, elapsed_s = worker_info(stack), time.monotonic() - started
    texts = after["texts"] - before["texts"]
    rows = texts / max(1, after["batches"] - before["batches"])
    return rows, 1000 * rows / max(1.0, after["texts_per_s"]), texts / elapsed_s


def worker_info(stack: Stack) -> dict[str, Any]:
    """What the only worker says of itself; on a busy machine its heartbeat may be late for a moment."""
    found: list[dict[str, Any]] = []

    def has_one() -> bool:
        found[:] = stack.info()["workers"]
        return bool(found)

    wait_until(has_one, "a heartbeat of the worker")
    return found[0]


def small_jobs(stack: Stack, count: int = 10, rows: int = 10) -> list[float]:
    """Seconds from sending each of `count` small jobs, all sent at once, to its end."""
    sent = [
        (time.monotonic(), submit_texts(stack, [f"{comment} {number}" for comment in COMMENTS[:rows]]))
        for number in range(count)
    ]
    seconds = []
    for started, job in sent:
        finish(stack, job, SMALL_JOB_TIMEOUT_S)
        seconds.append(time.monotonic() - started)
    return seconds


def measure(stack: Stack, rows: int, requests: int, rounds: int) -> bool:
    """Prints all figures; returns whether the job went on until the last request."""
    asyncio.run(lone_requests(stack.url, 20))
    idle = [second for _ in range(rounds) for second in asyncio.run(lone_requests(stack.url, requests))]
    job = submit_texts(stack, [f"{comment} {n}" for n, comment in zip(range(rows), itertools.cycle(COMMENTS))])
    wait_until(lambda: done_rows(stack, job) > 0, "the job's first rows")
    pass_rows, pass_ms, rows_per_s = bulk_pass_ms(stack)
    loaded = [second for _ in range(rounds) for second in asyncio.run(lone_requests(stack.url, requests))]
    small = small_jobs(stack)
    is_beside = done_rows(stack, job) < rows
    idle_p99 = figures("/predict, idle", idle)
    loaded_p99 = figures("/predict, while a job runs", loaded)
    allowed = 2 * idle_p99 + pass_ms
    sys.stdout.write(
        f"bulk micro-batch             {pass_rows:.1f} rows, {pass_ms:.1f} ms; bulk alone {rows_per_s:,.0f} rows/s\n"
        f"allowed p99                  {allowed:.1f} ms: {'kept' if loaded_p99 <= allowed else 'NOT kept'}\n"
    )
    sys.stdout.write(
        f"ten jobs of ten rows meanwhile, each from its sending to its end: "
        f"{min(small):.1f} / {statistics.median(small):.1f} / {max(small):.1f} s\n"
    )
    httpx.delete(f"{stack.url}/jobs/{job['id']}", timeout=SMALL_JOB_TIMEOUT_S)
    return is_beside


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="default")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    rows, requests, rounds = (5_000, 30, 1) if options.smoke else (options.rows, options.requests, options.rounds)
    with tempfile.TemporaryDirectory(prefix="kt-") as folder:
        stack = Stack(Path(folder), options.model)
        try:
            stack.start(worker_module="worker.main")
            if not measure(stack, rows, requests, rounds) and not options.smoke:
                raise RuntimeError("the job ended before the requests did; give it more rows")
        finally:
            stack.stop()


if __name__ == "__main__":
    main()
