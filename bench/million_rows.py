"""A large CSV through the whole service: API memory, the store's peak, speed, and whether every row comes back.

    python -m bench.million_rows                      1,000,000 rows, the embedded model, what `make run` starts
    python -m bench.million_rows --rows 100000
    python -m bench.million_rows --echo               an engine that costs nothing: what the service itself needs
    python -m bench.million_rows --comments FILE      other texts, lines or jsonl: the few that come along pack too well
    python -m bench.million_rows --smoke              a few seconds, to show that it runs

Real comments repeated, each with a number, among other columns, some with quotes and line feeds. The file is made while
it is sent and checked while it is received, so this process stays small.
"""

import argparse
import csv
import http.client
import io
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.support.echo import write_echo_bundle
from tests.support.run import KobertRun
from tests.support.stack import Stack, memory_bytes

COMMENTS = Path(__file__).with_name("comments.txt").read_text().splitlines()
HEADER = ["번호", "게시판", "댓글", "메모"]
MIB = 1 << 20
WRITE_ROWS = 500


def read_comments(path: Path) -> list[str]:
    lines = path.read_text().splitlines()
    return [json.loads(line)["text"] for line in lines] if path.suffix == ".jsonl" else lines


def row(number: int) -> list[str]:
    # Numbers of six digits in no order: what the model reads of a number depends on its length and its first digits.
    comment = f"{COMMENTS[number % len(COMMENTS)]} {100_000 + number * 7_919 % 900_000}"
    if number % 10 == 0:
        comment = f'"{comment}"\n둘째 줄, 쉼표'
    return [str(number), ("자유", "질문", "후기")[number % 3], comment, "=확인" if number % 7 == 0 else ""]


def file_pieces(rows: int) -> Iterator[bytes]:
    for start in range(0, rows, WRITE_ROWS):
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        if start == 0:
            writer.writerow(HEADER)
        writer.writerows(row(number) for number in range(start, min(start + WRITE_ROWS, rows)))
        yield text.getvalue().encode()


def upload(url: str, rows: int) -> dict[str, Any]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), int(parts.port or 80), timeout=600)
    connection.request("POST", "/jobs?format=csv&id_column=1", file_pieces(rows), {"Content-Type": "text/csv"})
    answer = connection.getresponse()
    body: dict[str, Any] = json.loads(answer.read())
    if answer.status != 202:
        raise RuntimeError(f"{answer.status}: {body}")
    return body


def follow(stack: Stack | KobertRun, job_id: str) -> dict[str, Any]:
    """Wait for the end; says now and then how it stands."""
    said_at = 0.0
    while True:
        job: dict[str, Any] = httpx.get(f"{stack.url}/jobs/{job_id}", params={"wait": 5}, timeout=60).json()
        if job["status"] == "completed":
            return job
        if job["status"] in {"failed", "cancelled", "expired"}:
            raise RuntimeError(f"the job is {job['status']}")
        if time.monotonic() - said_at > 30:
            said_at = time.monotonic()
            done = job["request_counts"]["completed"] + job["request_counts"]["failed"]
            say(f"  {done:,} rows, {job['rows_per_s']} rows/s, {job['eta_seconds']} s to go")


def check(stack: Stack | KobertRun, job_id: str, rows: int) -> None:
    """Download as csv and compare row by row with what was sent."""
    with httpx.stream("GET", f"{stack.url}/jobs/{job_id}/results", params={"format": "csv"}, timeout=600) as answer:
        table = csv.reader(_lines(answer.iter_bytes()))
        header = next(table)
        if header[:5] != [*HEADER, "classification"]:
            raise RuntimeError(f"the header came back as {header}")
        number = -1
        for number, cells in enumerate(table):
            if cells[: len(HEADER)] != row(number) or not cells[len(HEADER)]:
                raise RuntimeError(f"row {number} came back as {cells}")
        if number + 1 != rows:
            raise RuntimeError(f"{number + 1} rows came back of {rows}")


def _lines(pieces: Iterator[bytes]) -> Iterator[str]:
    tail = b""
    for piece in pieces:
        *lines, tail = (tail + piece).split(b"\n")
        yield from (f"{line.decode('utf-8-sig')}\n" for line in lines)
    if tail:
        yield tail.decode()


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def measure(stack: Stack | KobertRun, rows: int) -> None:
    idle = memory_bytes(stack.api.pid)
    with stack.redis() as redis:
        empty = redis.info("memory")["used_memory"]
        started = time.monotonic()
        job = upload(stack.url, rows)
        upload_s = time.monotonic() - started
        stored = redis.info("memory")["used_memory"]
        say(f"upload: {rows:,} rows in {upload_s:.0f} s; store {(stored - empty) / MIB:.1f} MB")
        follow(stack, job["id"])
        work_s = time.monotonic() - started - upload_s
        memory = redis.info("memory")
        started = time.monotonic()
        check(stack, job["id"], rows)
        say(
            f"classified in {work_s:.0f} s: {rows / work_s:,.0f} rows/s\n"
            f"download and check: {time.monotonic() - started:.0f} s; every row once, in order, its columns intact\n"
            f"API memory: {idle / MIB:.0f} MB idle, {memory_bytes(stack.api.pid, 'VmHWM') / MIB:.0f} MB at its peak\n"
            f"store: {(memory['used_memory'] - empty) / MIB:.1f} MB at the end, "
            f"{memory['used_memory_peak'] / MIB:.1f} MB at its peak; "
            f"{(memory['used_memory'] - empty) / MIB * 1e6 / rows:.0f} MB a million rows\n"
            f"worker memory at its peak: {memory_bytes(stack.workers[0].pid, 'VmHWM') / MIB:.0f} MB"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--model", default="default")
    parser.add_argument("--echo", action="store_true")
    parser.add_argument("--comments", type=Path)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    if options.comments is not None:
        COMMENTS[:] = read_comments(options.comments)
    rows = 2_000 if options.smoke else options.rows
    with tempfile.TemporaryDirectory(prefix="kt-") as name:
        folder = Path(name)
        if not options.echo:
            with KobertRun(folder, model=options.model) as service:
                measure(service, rows)
            return
        stack = Stack(folder, write_echo_bundle(folder / "echo"), max_batch_tokens=4096)
        try:
            stack.start(worker_module="tests.support.echo")
            measure(stack, rows)
        finally:
            stack.stop()


if __name__ == "__main__":
    main()
