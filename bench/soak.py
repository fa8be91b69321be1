"""Does anything grow when the service is used for an hour? Watches memory, descriptors and keys under a mixed load.

    python -m bench.soak                 an hour
    python -m bench.soak --write         and write the section of docs/reliability.md
    python -m bench.soak --minutes 240
    python -m bench.soak --smoke         some seconds, to show that it runs

The service is `kobert run` with its defaults, except that a job is kept for five minutes after its end, so that jobs
also expire. A few requests a second arrive: texts alone and together, through every door, with policies and
corrections; files, their event streams and results in each format; reviews; bad requests, and callers who leave.
Once a minute each process's memory and descriptors are read, and the store's keys. A straight line is fitted through
what comes after the first quarter, in which caches fill. Nothing grows if that line rises by at most 10 MiB, 10
descriptors and 50 keys an hour: one that each request or job leaves behind would be hundreds.
"""

import argparse
import contextlib
import io
import itertools
import os
import random
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

import httpx
import psutil
import xlsxwriter

from bench.pages import replace_section
from tests.support.run import KobertRun

MIB = 1 << 20
KEPT_JOB_S = 300
WARM_UP_SHARE = 0.25
MAX_PER_HOUR = {"memory": 10.0, "descriptors": 10.0, "keys": 50.0}
COMMENTS = (Path(__file__).parent / "comments.txt").read_text(encoding="utf-8").splitlines()
SECTION = "## An hour of use"


class Sample(NamedTuple):
    """One look: MiB and descriptors by process, and what the store holds."""

    at_s: float
    memory: dict[str, float]
    descriptors: dict[str, int]
    keys: int
    store_mib: float


class Load:
    """Callers that send until they are stopped, `pace` times as often as in an hour's soak.

    Counts what they got by what they did.
    """

    def __init__(self, url: str, pace: float = 1.0) -> None:
        self.url = url
        self._pace = pace
        self.statuses: Counter[tuple[str, int]] = Counter()
        self.broken: Counter[str] = Counter()
        self._stopped = threading.Event()
        self._chance = random.Random(1)
        self._numbers = itertools.count()
        callers = (
            (self._predict_one, 0.4),
            (self._predict_many, 2.0),
            (self._use_doors, 2.0),
            (self._run_job, 8.0),
            (self._edit_policy, 5.0),
            (self._correct, 3.0),
            (self._ask_badly, 3.0),
            (self._leave, 3.0),
            (self._look, 5.0),
        )
        self._threads = [threading.Thread(target=self._repeat, args=caller, daemon=True) for caller in callers]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(60)

    def bad(self, *, may_be_slow: bool = False) -> dict[str, int]:
        """Answers that no use of it explains; `may_be_slow`: nor that the machine was too busy for them."""
        explained = {503, 504} if may_be_slow else {503}
        bad = {f"{what} {status}": n for (what, status), n in self.statuses.items() if status >= 500}
        bad = {said: n for said, n in bad.items() if int(said.rpartition(" ")[2]) not in explained}
        return bad | {
            f"broken: {what}": n for what, n in self.broken.items() if not (may_be_slow and what.endswith("Timeout"))
        }

    def _repeat(self, do: Callable[[httpx.Client], None], every_s: float) -> None:
        with httpx.Client(base_url=self.url, timeout=60) as client:
            while not self._stopped.wait(self._chance.expovariate(self._pace / every_s)):
                try:
                    do(client)
                except (httpx.HTTPError, OSError, KeyError, ValueError) as error:
                    self.broken[f"{do.__name__} {type(error).__name__}"] += 1

    def _send(self, client: httpx.Client, method: str, path: str, **what: Any) -> httpx.Response:  # noqa: ANN401
        answer = client.request(method, path, **what)
        self.statuses[f"{method} /{path.partition('?')[0].split('/')[1]}", answer.status_code] += 1
        return answer

    def _text(self) -> str:
        return f"{self._chance.choice(COMMENTS)} {next(self._numbers)}"

    def _predict_one(self, client: httpx.Client) -> None:
        self._send(client, "POST", "/predict", json={"text": self._text()})

    def _predict_many(self, client: httpx.Client) -> None:
        options: dict[str, object] = self._chance.choice(
            [{}, {"strictness": "strict"}, {"policy": "soak-1"}, {"explain": True}]
        )
        texts = [self._text() for _ in range(self._chance.randrange(1, 40))]
        self._send(client, "POST", "/predict", json={"texts": texts, **options})

    def _use_doors(self, client: httpx.Client) -> None:
        self._send(client, "POST", "/v1/moderations", json={"input": self._text()})
        self._send(client, "POST", "/", json={"inputs": self._text()})
        asked = {"comment": {"text": self._text()}, "languages": ["ko"], "requestedAttributes": {"TOXICITY": {}}}
        self._send(client, "POST", "/v1alpha1/comments:analyze", json=asked)

    def _run_job(self, client: httpx.Client) -> None:
        """A file, its event stream, its results in each format; every second one is deleted, the others expire."""
        texts = [self._text() for _ in range(self._chance.randrange(50, 400))]
        kind, body = self._chance.choice(
            [("csv", "text\n" + "\n".join(texts)), ("txt", "\n".join(texts)), ("xlsx", _sheet(texts))]
        )
        answer = self._send(client, "POST", f"/jobs?format={kind}", content=body)
        if answer.status_code != httpx.codes.ACCEPTED:
            return
        job = f"/jobs/{answer.json()['id']}"
        with client.stream("GET", f"{job}/events") as events:
            for _ in events.iter_lines():
                if self._stopped.is_set():
                    return
        for wanted in ("jsonl", "csv", "xlsx", "parquet"):
            self._send(client, "GET", f"{job}/results?format={wanted}")
        self._review(client, answer.json()["id"])
        if self._chance.random() < 0.5:
            self._send(client, "DELETE", job)

    def _review(self, client: httpx.Client, job_id: str) -> None:
        answer = self._send(client, "POST", "/reviews", json={"job_id": job_id})
        if answer.status_code == httpx.codes.CREATED:
            review = f"/reviews/{answer.json()['id']}"
            self._send(client, "POST", f"{review}/lease", json={"reviewer": "a", "count": 5})
            self._send(client, "DELETE", review)

    def _edit_policy(self, client: httpx.Client) -> None:
        name = f"/policies/soak-{self._chance.randrange(5)}"
        policy = {"deny": [f"금지{self._chance.randrange(100)}", "멍청이"], "allow": ["게이머"]}
        self._send(client, "PUT", name, json=policy)
        self._send(client, "GET", "/policies")
        if self._chance.random() < 0.3:
            self._send(client, "DELETE", name)

    def _correct(self, client: httpx.Client) -> None:
        answer = self._send(client, "POST", "/corrections", json={"text": self._text(), "classification": "clean"})
        self._send(client, "GET", "/corrections")
        if answer.status_code in {200, 201}:
            self._send(client, "DELETE", f"/corrections/{answer.json()['id']}")

    def _ask_badly(self, client: httpx.Client) -> None:
        self._send(client, "POST", "/predict", content=b'{"text": ', headers={"Content-Type": "application/json"})
        self._send(client, "POST", "/predict", json={"texts": ["\0", 1, [], "\u3164"]})
        self._send(client, "POST", "/jobs?format=parquet", content=b"PAR1" + os.urandom(50) + b"PAR1")
        self._send(client, "GET", "/jobs/nobody/results")

    def _leave(self, _: httpx.Client) -> None:
        """Hang up in a head, in a body, and before the answer."""
        parts = urlsplit(self.url)
        head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 15\r\n"
        for sent in (head, head + b'\r\n{"text"', head + b'\r\n{"text": "abc"}'):
            with socket.create_connection((str(parts.hostname), int(parts.port or 80)), 30) as connection:
                connection.sendall(sent)

    def _look(self, client: httpx.Client) -> None:
        for path in ("/health", "/ready", "/info", "/metrics", "/jobs", "/openapi.json", "/"):
            self._send(client, "GET", path)


def _sheet(texts: list[str]) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        book.add_worksheet().write_column(0, 0, ["text", *texts])
    return out.getvalue()


def processes(service: KobertRun) -> Iterator[tuple[str, psutil.Process]]:
    """The command and what it started, by the name of what each is."""
    yield "the command", psutil.Process(service.pid)
    for child in psutil.Process(service.pid).children():
        with contextlib.suppress(psutil.Error):
            command = " ".join(child.cmdline())
            for part, name in {"api.main": "API", "worker.main": "worker", "valkey-server": "store"}.items():
                if part in command:
                    yield name, child


def look(service: KobertRun, at_s: float) -> Sample:
    found = dict(processes(service))
    with service.redis() as redis:
        keys, used = redis.dbsize(), redis.info("memory")["used_memory"]
    return Sample(
        at_s,
        {name: process.memory_info().rss / MIB for name, process in found.items()},
        {name: process.num_fds() for name, process in found.items()},
        int(keys),
        used / MIB,
    )


def watch(minutes: float, every_s: float, pace: float) -> tuple[list[Sample], Load]:
    """Samples of a service under load, from its start on."""
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as folder,
        KobertRun(Path(folder), result_ttl_s=KEPT_JOB_S) as service,
        Load(service.url, pace) as load,
    ):
        began = time.monotonic()
        samples: list[Sample] = []
        while (now := time.monotonic() - began) < minutes * 60 or len(samples) < 4:
            samples.append(look(service, now))
            sys.stdout.write(f"{show(samples[-1])}\n")
            sys.stdout.flush()
            time.sleep(every_s)
        samples.append(look(service, time.monotonic() - began))
        return samples, load


def show(sample: Sample) -> str:
    memory = ", ".join(f"{name} {mib:.0f} MiB" for name, mib in sample.memory.items())
    return (
        f"{sample.at_s / 60:5.1f} min: {memory}; descriptors {sum(sample.descriptors.values())} "
        f"{dict(sample.descriptors)}; {sample.keys} keys, {sample.store_mib:.1f} MiB in the store"
    )


class Line(NamedTuple):
    """One figure after the warm-up: where it began, its highest, and the growth an hour of the fitted line."""

    what: str
    kind: str
    first: float
    most: float
    per_hour: float

    @property
    def is_flat(self) -> bool:
        return self.per_hour <= MAX_PER_HOUR[self.kind]


def fit(samples: list[Sample]) -> list[Line]:
    settled = [sample for sample in samples if sample.at_s >= WARM_UP_SHARE * samples[-1].at_s]
    hours = [sample.at_s / 3600 for sample in settled]
    figures: list[tuple[str, str, list[float]]] = []
    for name in settled[0].memory:
        figures.append((f"memory of {name}, MiB", "memory", [sample.memory[name] for sample in settled]))
        figures.append((f"descriptors of {name}", "descriptors", [float(s.descriptors[name]) for s in settled]))
    figures.append(("data in the store, MiB", "memory", [sample.store_mib for sample in settled]))
    figures.append(("keys in the store", "keys", [float(sample.keys) for sample in settled]))
    return [
        Line(what, kind, values[0], max(values), statistics.linear_regression(hours, values).slope)
        for what, kind, values in figures
    ]


def section(minutes: float, lines: list[Line], load: Load) -> str:
    """The part of the page, with its table."""
    bad = load.bad()
    rows = "".join(f"| {x.what} | {x.first:.1f} | {x.most:.1f} | {x.per_hour:+.1f} |\n" for x in lines)
    told = "none was an error of the server." if not bad else f"these were not good: {bad}."
    return f"""{SECTION}

`.venv/bin/python -m bench.soak --write`, {minutes:.0f} minutes, {len(os.sched_getaffinity(0))} processors with other
work on them: `.venv/bin/kobert run` with its defaults (but a job is kept for {KEPT_JOB_S // 60} minutes, so that
jobs also expire), and a mixed load: texts through every door, policies, corrections, files with their event streams
and results in each format, reviews, bad requests, callers who leave. Of {sum(load.statuses.values()):,} answers {told}
The first quarter, in which caches fill, is left out; the last column is the slope of a straight line through the rest.

| figure | first | highest | growth an hour |
|---|---|---|---|
{rows}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    minutes, every_s, pace = (0.15, 2.0, 4.0) if options.smoke else (options.minutes, 60.0, 1.0)
    samples, load = watch(minutes, every_s, pace)
    lines = fit(samples)
    for line in lines:
        flat = "flat" if line.is_flat else "GROWS"
        sys.stdout.write(
            f"{line.what}: {line.first:.1f}, at most {line.most:.1f}, {line.per_hour:+.1f} an hour: {flat}\n"
        )
    sys.stdout.write(f"answers: {dict(sorted(load.statuses.items()))}\nnot good: {load.bad()}\n")
    if options.write:
        replace_section("reliability.md", section(minutes, lines, load))
    # In some seconds everything grows, and what else runs on the machine then must not fail it.
    is_flat = options.smoke or all(line.is_flat for line in lines)
    sys.exit(0 if is_flat and not load.bad(may_be_slow=options.smoke) else 1)


if __name__ == "__main__":
    main()
