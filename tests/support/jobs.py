"""A client of the job routes for tests: sends, waits, checks that every row came back once, with its own verdict."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import httpx

from tests.support.echo import echo_scores
from tests.support.stack import wait_until

WAIT_S = 90


class Service(Protocol):
    """Processes or containers that a test has started."""

    @property
    def url(self) -> str: ...


def submit(service: Service, content: bytes | str, **query: object) -> dict[str, Any]:
    answer = httpx.post(f"{service.url}/jobs", content=content, params=query, timeout=WAIT_S)  # type: ignore[arg-type]
    assert answer.status_code == 202, answer.text
    return answer.json()


def submit_texts(service: Service, texts: Sequence[str]) -> dict[str, Any]:
    return submit(service, "\n".join(texts).encode(), format="txt")


def job_of(service: Service, job: dict[str, Any]) -> dict[str, Any]:
    answer = httpx.get(f"{service.url}/jobs/{job['id']}", timeout=WAIT_S)
    assert answer.status_code == 200, answer.text
    return answer.json()


def done_rows(service: Service, job: dict[str, Any]) -> int:
    counts = job_of(service, job)["request_counts"]
    return counts["completed"] + counts["failed"]


def finish(service: Service, job: dict[str, Any], timeout_s: float = WAIT_S) -> dict[str, Any]:
    """Wait for the end; the store may be away for a while."""

    def has_ended() -> bool:
        answer = httpx.get(f"{service.url}/jobs/{job['id']}", params={"wait": 1}, timeout=WAIT_S)
        return answer.status_code == 200 and answer.json()["status"] == "completed"

    wait_until(has_ended, "the job's end", timeout_s)
    return job_of(service, job)


def results(service: Service, job: dict[str, Any], **query: object) -> httpx.Response:
    url = f"{service.url}/jobs/{job['id']}/results"
    answer = httpx.get(url, params=query, timeout=WAIT_S)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    return answer


def result_lines(service: Service, job: dict[str, Any], **query: object) -> list[dict[str, Any]]:
    return [json.loads(line) for line in results(service, job, format="jsonl", **query).text.splitlines()]


def assert_own_verdicts(lines: Iterable[dict[str, Any]], texts: Sequence[str], failed: Sequence[str] = ()) -> None:
    """Every text once, in order, with the scores that only it has; `failed` ones with an error instead."""
    lines = list(lines)
    assert [line["text"] for line in lines] == list(texts)
    assert [line["row"] for line in lines] == list(range(1, len(texts) + 1))
    for line in lines:
        if line["text"] in failed:
            assert line["error"]["code"] == "prediction_failed", line
        else:
            assert line["scores"] == echo_scores(line["text"]), line


def table_of(body: bytes, separator: str = ",") -> list[list[str]]:
    """Rows of a downloaded table, whose first sign may be a byte order mark."""
    return list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), delimiter=separator))
