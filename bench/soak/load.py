"""The mixed load of an hour's use: callers that do all that the service can, and some things that it cannot."""

import io
import itertools
import os
import random
import socket
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import xlsxwriter

COMMENTS = (Path(__file__).parents[1] / "comments.txt").read_text(encoding="utf-8").splitlines()


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
