"""What operators see of jobs: their metrics, and the log lines that carry their ids."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.jobs import finish, submit_texts
from tests.support.metrics import grown, samples, value
from tests.support.stack import Stack, free_port, running_stack, wait_until

pytestmark = pytest.mark.integration

POISON = "이 문장에서 모델이 넘어집니다"


def lines_of(stack: Stack, job: dict, event: str) -> list[dict]:
    return [line for line in stack.events() if line.get("job_id") == job["id"] and line["event"] == event]


def one_line_of(stack: Stack, job: dict, event: str) -> dict:
    wait_until(lambda: bool(lines_of(stack, job, event)), f"the line {event}")
    (line,) = lines_of(stack, job, event)
    return line


def counts_of(line: dict) -> tuple[int, int, int]:
    return line["rows"], line["rows_completed"], line["rows_failed"]


def test_a_job_is_followed_by_its_id_from_the_api_to_the_worker_and_its_rows_are_counted(
    short_tmp: Path, echo_bundle: Path
) -> None:
    port = free_port()
    settings: dict[str, Any] = {"worker_metrics_port": port, "job_chunk_rows": 8, "echo_poison": POISON}
    with running_stack(short_tmp, echo_bundle, **settings) as stack:
        before = samples(f"http://127.0.0.1:{port}")
        texts = [*(f"비밀스러운 댓글 {number}" for number in range(29)), POISON]
        headers = {"X-Request-ID": "upload-9"}
        job = httpx.post(f"{stack.url}/jobs", json={"texts": texts}, headers=headers).json()
        finish(stack, job)

        accepted, completed = one_line_of(stack, job, "job_accepted"), one_line_of(stack, job, "job_completed")
        assert (accepted["process"], accepted["request_id"], accepted["rows"]) == ("api", "upload-9", 30)
        assert (completed["process"], counts_of(completed)) == ("worker", (30, 29, 1))
        wait_until(lambda: bool(lines_of(stack, job, "request")), "the line of a request for the job")
        assert {line["route"] for line in lines_of(stack, job, "request")} == {"/jobs/{job_id}"}
        assert "비밀스러운" not in stack.logs()

        def rows(outcome: str) -> float:
            return grown(before, samples(f"http://127.0.0.1:{port}"), "kobert_worker_job_rows_total", outcome=outcome)

        # Rows are counted once the ledger has them, by when the job may be over.
        wait_until(lambda: (rows("predicted"), rows("prediction_failed")) == (29, 1), "the count of rows")
        assert value(samples(stack.url), "kobert_job_rows_waiting") == 0


def test_open_jobs_and_their_rows_are_told_until_they_are_cancelled(short_tmp: Path, echo_bundle: Path) -> None:
    with running_stack(short_tmp, echo_bundle, workers=0) as stack:
        jobs = [submit_texts(stack, [f"기다리는 글 {number}" for number in range(100)]) for _ in range(2)]
        wait_until(lambda: value(samples(stack.url), "kobert_jobs_oldest_seconds") > 0.5, "a job that waits")
        waiting = samples(stack.url)
        assert value(waiting, "kobert_jobs", status="in_progress") == 2
        assert value(waiting, "kobert_job_rows_waiting") == 200

        for job in jobs:
            assert httpx.post(f"{stack.url}/jobs/{job['id']}/cancel").json()["status"] == "cancelled"
            httpx.post(f"{stack.url}/jobs/{job['id']}/cancel")
            httpx.delete(f"{stack.url}/jobs/{job['id']}")

        gone = samples(stack.url)
        assert ("kobert_jobs", (("status", "in_progress"),)) in gone
        assert value(gone, "kobert_jobs", status="in_progress") == value(gone, "kobert_job_rows_waiting") == 0
        for job in jobs:
            # Asked twice, cancelled once.
            assert one_line_of(stack, job, "job_cancelling")["request_id"]
            assert counts_of(one_line_of(stack, job, "job_cancelled")) == (100, 0, 0)
            assert one_line_of(stack, job, "job_deleted")["process"] == "api"


def test_a_job_that_expires_has_its_line(short_tmp: Path, echo_bundle: Path) -> None:
    with running_stack(short_tmp, echo_bundle, workers=0, max_job_age_s=1, job_poll_s=0.3) as stack:
        job = submit_texts(stack, ["아무도 오지 않는 글"])
        assert counts_of(one_line_of(stack, job, "job_expired")) == (1, 0, 0)


def test_an_id_that_is_not_ours_is_not_logged(short_tmp: Path, echo_bundle: Path) -> None:
    with running_stack(short_tmp, echo_bundle, workers=0) as stack:
        assert httpx.get(f"{stack.url}/jobs/a-text-in-a-path").status_code == 404
        wait_until(lambda: any(line["event"] == "request" for line in stack.events()), "the request's line")
        assert "a-text-in-a-path" not in stack.api.log.read_text()
