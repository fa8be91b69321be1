"""Bulk jobs through real processes, when nothing breaks: the life of a job."""

import gzip
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from shared import keys
from tests.support.jobs import (
    assert_own_verdicts,
    finish,
    job_of,
    result_lines,
    results,
    submit,
    submit_texts,
)
from tests.support.stack import Stack, memory_bytes, running_stack, wait_until

pytestmark = pytest.mark.integration

ENDED = {"completed", "cancelled", "expired"}


@pytest.fixture
def slow_stack(short_tmp: Path, echo_bundle: Path) -> Iterator[Stack]:
    """A stack on which a job of some thousand rows takes a while."""
    with running_stack(short_tmp, echo_bundle, echo_pass_s=0.05, job_chunk_rows=20, job_poll_s=0.5) as running:
        yield running


def error_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_texts_come_back_in_order_each_with_its_own_verdict(stack: Stack) -> None:
    texts = [f"{number}번째 댓글" for number in range(230)]

    answer = httpx.post(f"{stack.url}/jobs", json={"texts": texts, "metadata": {"board": "free"}})

    assert answer.status_code == 202
    assert answer.headers["location"] == f"/jobs/{answer.json()['id']}"
    job = finish(stack, answer.json())
    assert (job["object"], job["metadata"], job["eta_seconds"]) == ("job", {"board": "free"}, 0)
    assert job["request_counts"] == {"total": 230, "completed": 230, "failed": 0}
    assert sum(job["label_counts"].values()) == 230
    assert job["created_at"] <= job["in_progress_at"] <= job["completed_at"] < job["expires_at"]
    assert_own_verdicts(result_lines(stack, job), texts)


def test_json_may_be_packed(stack: Stack) -> None:
    body = gzip.compress(json.dumps({"texts": ["꾸러미"]}).encode())
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    job = finish(stack, httpx.post(f"{stack.url}/jobs", content=body, headers=headers).json())
    assert_own_verdicts(result_lines(stack, job), ["꾸러미"])


def test_items_keep_their_ids_and_other_fields(stack: Stack) -> None:
    items = [{"id": 2**60 + number, "text": f"글 {number}", "user": {"name": "아무개"}} for number in range(3)]
    job = finish(stack, httpx.post(f"{stack.url}/jobs", json={"items": items}).json())

    lines = result_lines(stack, job)
    assert [{name: line[name] for name in ("id", "text", "user")} for line in lines] == items


@pytest.mark.parametrize(
    ("body", "query", "headers", "expected"),
    [
        (b"", {"format": "csv"}, {}, (422, "invalid_request")),
        (b"\n \n", {"format": "txt"}, {}, (422, "invalid_request")),
        ("text\n \n\u3000\n".encode(), {"format": "csv"}, {}, (422, "invalid_request")),
        (b"{}\n{}\n", {"format": "jsonl"}, {}, (422, "invalid_request")),
        (b"a,b\n1,2\n", {"format": "csv"}, {}, (422, "invalid_request")),
        (b"text\nx\n", {"format": "xlsx"}, {}, (422, "invalid_request")),
        (b"text\nx\n", {}, {"content-type": "application/x-www-form-urlencoded"}, (415, "unsupported_media_type")),
        (b"PAR1", {"format": "parquet"}, {}, None),
        (b"{", {}, {"content-type": "application/json"}, (422, "invalid_request")),
        (b'{"texts": []}', {}, {"content-type": "application/json"}, (422, "invalid_request")),
        (b"\x1f\x8b\x08rubbish", {"format": "txt"}, {}, (422, "invalid_request")),
        (b"x\n", {"format": "txt", "webhook_url": "https://example.com/"}, {}, (422, "invalid_request")),
    ],
)
def test_an_upload_that_cannot_be_used_is_refused_whole_and_leaves_nothing(
    stack: Stack, body: bytes, query: dict, headers: dict, expected: tuple[int, str] | None
) -> None:
    with stack.redis() as redis:
        before = set(redis.scan_iter(f"{keys.JOB}*"))
        answer = httpx.post(f"{stack.url}/jobs", content=body, params=query, headers=headers)
        # Without the extra, parquet is not taken at all; with it, this file is none.
        either = [(415, "unsupported_media_type"), (422, "invalid_request")]
        assert error_of(answer) in ([expected] if expected else either)
        assert set(redis.scan_iter(f"{keys.JOB}*")) == before


def test_a_client_that_leaves_in_the_middle_leaves_nothing(stack: Stack) -> None:
    def lines() -> Iterator[bytes]:
        for number in range(2_000):
            yield f"떠나는 손님 {number}\n".encode()
        raise InterruptedError

    with stack.redis() as redis:
        before = set(redis.scan_iter(f"{keys.JOB}*"))
        with pytest.raises(InterruptedError):
            httpx.post(f"{stack.url}/jobs", content=lines(), params={"format": "txt"})
        wait_until(lambda: set(redis.scan_iter(f"{keys.JOB}*")) == before, "the end of what was uploaded")


def test_the_same_idempotency_key_gives_the_same_job(stack: Stack) -> None:
    headers = {b"Idempotency-Key": "어제의 댓글".encode()}
    first = httpx.post(f"{stack.url}/jobs", json={"texts": ["한 번만"]}, headers=headers)
    second = httpx.post(f"{stack.url}/jobs", json={"texts": ["한 번만"]}, headers=headers)

    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["id"] == second.json()["id"]
    assert second.headers["idempotent-replayed"] == "true"


def test_an_unknown_job_is_404_on_every_route(stack: Stack) -> None:
    url = f"{stack.url}/jobs/job_unknown"
    answers = [httpx.get(url + path) for path in ("", "/results", "/errors", "/events")]
    answers += [httpx.post(f"{url}/cancel"), httpx.delete(url), httpx.get(f"{stack.url}/jobs?after=job_unknown")]
    assert {error_of(answer) for answer in answers} == {(404, "not_found")}


def test_events_of_a_job_that_was_just_deleted_are_404(stack: Stack) -> None:
    url = f"{stack.url}/jobs/{finish(stack, submit_texts(stack, ['안녕하세요']))['id']}"
    assert '"completed"' in httpx.get(f"{url}/events").text
    httpx.delete(url)
    assert error_of(httpx.get(f"{url}/events")) == (404, "not_found")


@pytest.mark.parametrize("query", ["limit=0", "limit=many", "limit=101"])
def test_a_parameter_that_cannot_be_has_the_one_error_shape(stack: Stack, query: str) -> None:
    answer = httpx.get(f"{stack.url}/jobs?{query}")
    assert error_of(answer) == (422, "invalid_request")
    assert answer.json()["error"]["param"] == "limit"


def test_results_before_the_end_are_409_or_partial_when_asked(slow_stack: Stack) -> None:
    texts = [f"아직 도는 중 {number}" for number in range(2_000)]
    job = submit_texts(slow_stack, texts)
    wait_until(lambda: job_of(slow_stack, job)["request_counts"]["completed"] >= 100, "100 rows")

    early = httpx.get(f"{slow_stack.url}/jobs/{job['id']}/results")
    assert error_of(early) == (409, "results_not_ready")
    partial = results(slow_stack, job, partial="true")
    assert partial.headers["x-results-partial"] == "true"
    assert 100 <= len(partial.text.splitlines()) < 2_000
    shown = job_of(slow_stack, job)
    assert shown["results_partial"] is True
    assert shown["eta_seconds"] > 0

    cancelled = httpx.post(f"{slow_stack.url}/jobs/{job['id']}/cancel").json()
    assert cancelled["status"] in {"cancelling", "cancelled"}
    wait_until(lambda: job_of(slow_stack, job)["status"] == "cancelled", "the end of the cancelled job")
    kept = results(slow_stack, job)
    assert kept.headers["x-results-partial"] == "true"
    assert [json.loads(line)["text"] for line in kept.text.splitlines()] == texts[: len(kept.text.splitlines())]

    assert httpx.delete(f"{slow_stack.url}/jobs/{job['id']}").json()["deleted"] is True
    assert httpx.get(f"{slow_stack.url}/jobs/{job['id']}").status_code == 404
    with slow_stack.redis() as redis:
        assert not list(redis.scan_iter(f"{keys.JOB}{job['id']}*"))


def test_a_job_expires_with_everything_that_it_has(short_tmp: Path, echo_bundle: Path) -> None:
    with running_stack(short_tmp, echo_bundle, result_ttl_s=2) as stack:
        job = finish(stack, submit_texts(stack, ["곧 사라질 글"]))
        wait_until(lambda: httpx.get(f"{stack.url}/jobs/{job['id']}").status_code == 404, "the job's expiry")
        assert httpx.get(f"{stack.url}/jobs").json()["data"] == []
        with stack.redis() as redis:
            assert not list(redis.scan_iter(f"{keys.JOB}*"))


def test_limits_are_refused_before_or_while_the_body_is_read(short_tmp: Path, echo_bundle: Path) -> None:
    limits = {"max_job_bytes": 10_000, "max_job_rows": 100, "max_open_jobs": 2}
    with running_stack(short_tmp, echo_bundle, workers=0, **limits) as stack:
        url = f"{stack.url}/jobs?format=txt"
        declared = httpx.post(url, content=b"x" * 10_001)
        streamed = httpx.post(url, content=iter([b"x\n" * 3_000] * 2))
        rows = httpx.post(url, content=b"x\n" * 101)
        packed = httpx.post(url, content=gzip.compress(b"x" * 1_000_000))
        assert {error_of(answer) for answer in (declared, streamed, rows, packed)} == {(413, "too_large")}
        for _ in range(2):
            assert httpx.post(url, content=b"x\n").status_code == 202
        third = httpx.post(url, content=b"x\n")
        assert error_of(third) == (429, "overloaded")
        assert int(third.headers["retry-after"]) > 0


def test_progress_comes_as_events_until_the_end(slow_stack: Stack) -> None:
    job = submit_texts(slow_stack, [f"진행 {number}" for number in range(600)])
    names: list[str] = []
    bodies: list[dict] = []
    with httpx.stream("GET", f"{slow_stack.url}/jobs/{job['id']}/events", timeout=60) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            if line.startswith("event: "):
                names.append(line.removeprefix("event: "))
            if line.startswith("data: "):
                bodies.append(json.loads(line.removeprefix("data: ")))
    assert names[0] == "progress"
    assert names[-1] == "completed"
    done = [body["request_counts"]["completed"] for body in bodies]
    assert done == sorted(done)
    assert (len(done) > 2, done[-1]) == (True, 600)


def test_a_long_poll_answers_at_the_end(slow_stack: Stack) -> None:
    job = submit_texts(slow_stack, [f"기다림 {number}" for number in range(300)])
    answer = httpx.get(f"{slow_stack.url}/jobs/{job['id']}", params={"wait": 30}, timeout=60)
    assert answer.json()["status"] == "completed"


def test_a_job_belongs_to_the_key_that_made_it(short_tmp: Path, echo_bundle: Path) -> None:
    with running_stack(short_tmp, echo_bundle, api_keys="alpha, beta") as stack:
        alpha, beta, wrong = ({"Authorization": f"Bearer {key}"} for key in ("alpha", "beta", "gamma"))
        for headers in ({}, wrong, {"Authorization": "Basic alpha"}):
            for answer in (
                httpx.post(f"{stack.url}/predict", json={"text": "글"}, headers=headers),
                httpx.post(f"{stack.url}/jobs", json={"texts": ["글"]}, headers=headers),
                httpx.get(f"{stack.url}/jobs", headers=headers),
            ):
                assert error_of(answer) == (401, "invalid_api_key")
        assert httpx.post(f"{stack.url}/predict", json={"text": "글"}, headers=alpha).status_code == 200
        keyed = {"Idempotency-Key": "k"}
        mine = httpx.post(f"{stack.url}/jobs", json={"texts": ["글"]}, headers={**alpha, **keyed}).json()
        theirs = httpx.post(f"{stack.url}/jobs", json={"texts": ["글"]}, headers={**beta, **keyed}).json()
        assert mine["id"] != theirs["id"]
        url = f"{stack.url}/jobs/{mine['id']}"
        assert httpx.get(url, headers=alpha).status_code == 200
        assert {httpx.get(url + path, headers=beta).status_code for path in ("", "/results", "/events")} == {404}
        assert httpx.delete(url, headers=beta).status_code == 404
        assert [job["id"] for job in httpx.get(f"{stack.url}/jobs", headers=beta).json()["data"]] == [theirs["id"]]
        assert httpx.get(f"{stack.url}/health").status_code == 200
        with stack.redis() as redis:
            assert not [key for key in redis.scan_iter() if b"alpha" in key]
        assert "alpha" not in stack.logs()


def test_the_api_keeps_answering_and_stays_small_during_a_large_upload(stack: Stack) -> None:
    line = "그냥 평범한 댓글입니다 오늘 방송도 재미있었어요\n".encode()
    answers: list[dict] = []

    def upload() -> None:
        answers.append(submit(stack, line * 100_000, format="txt"))

    thread = threading.Thread(target=upload)
    thread.start()
    while thread.is_alive():
        assert httpx.get(f"{stack.url}/health", timeout=60).status_code == 200
        time.sleep(0.05)
    thread.join()
    assert memory_bytes(stack.api.pid, "VmHWM") < 150 << 20
    assert httpx.delete(f"{stack.url}/jobs/{answers[0]['id']}").status_code == 200


def test_no_key_is_left_without_an_expiry_and_no_text_is_in_a_log(stack: Stack) -> None:
    secret = "로그에 남으면 안 되는 댓글"
    finish(stack, submit_texts(stack, [secret]))
    with stack.redis() as redis:
        forever = [key.decode() for key in redis.scan_iter() if redis.ttl(key) == -1]
    assert all(key.startswith("kobert:celery:_kombu.binding") for key in forever), forever
    assert secret not in stack.logs()
