"""What goes wrong while a job runs: workers, the store or the API killed, messages lost, texts that kill."""

import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared import keys
from tests.support.jobs import assert_own_verdicts, done_rows, finish, job_of, result_lines, submit_texts
from tests.support.stack import Stack, running_stack, wait_until

pytestmark = pytest.mark.integration

KILLER = "이 문장은 일꾼을 죽입니다"


@pytest.fixture
def stack(short_tmp: Path, echo_bundle: Path) -> Iterator[Stack]:
    """Two workers, slow enough for a job of some thousand rows to be hit in the middle."""
    with running_stack(short_tmp, echo_bundle, workers=2, echo_pass_s=0.005, job_poll_s=0.5) as running:
        yield running


def wait_for_progress(stack: Stack, job: dict, rows: int) -> None:
    wait_until(lambda: done_rows(stack, job) >= rows, f"{rows} rows done")


def test_workers_killed_in_the_middle_cost_no_row_and_double_none(stack: Stack) -> None:
    texts = [f"{number}번째 댓글" for number in range(5_000)]
    job = submit_texts(stack, texts)
    chance = random.Random(1)

    for done in (200, 1_500, 3_000):
        wait_for_progress(stack, job, done)
        time.sleep(chance.random() * 0.2)
        victim = chance.choice([worker for worker in stack.workers if worker.is_running])
        victim.kill()
        stack.add_worker()

    finished = finish(stack, job)
    assert finished["request_counts"] == {"total": 5_000, "completed": 5_000, "failed": 0}
    assert_own_verdicts(result_lines(stack, job), texts)


def test_a_text_that_kills_its_worker_fails_alone_by_name(short_tmp: Path, echo_bundle: Path) -> None:
    texts = [f"멀쩡한 댓글 {number}" for number in range(40)]
    texts[17] = KILLER
    settings: dict[str, Any] = {"job_chunk_rows": 8, "job_attempts": 2, "job_poll_s": 0.3, "heartbeat_ttl_s": 3}
    with running_stack(short_tmp, echo_bundle, echo_kill=KILLER, **settings) as stack:
        job = submit_texts(stack, texts)

        def restart_the_dead_until_the_end() -> bool:
            if not stack.workers[-1].is_running:
                stack.add_worker()
            return job_of(stack, job)["status"] == "completed"

        wait_until(restart_the_dead_until_the_end, "the job's end")

        finished = job_of(stack, job)
        assert finished["request_counts"] == {"total": 40, "completed": 39, "failed": 1}
        assert (finished["errors"]["data"][0]["line"], finished["errors"]["data"][0]["row"]) == (18, 18)
        assert_own_verdicts(result_lines(stack, job), texts, failed=[KILLER])
        lines = [line for line in stack.events() if line.get("job_id") == job["id"]]
        assert {"chunks_reopened", "chunk_retried"} <= {line["event"] for line in lines}
        # One worker died of it, and then a process whose death is no worker's.
        assert (len(stack.workers), "chunk_halved" in stack.logs()) == (2, False)
        assert [line["row"] for line in lines if line["event"] == "row_given_up"] == [18]
        assert KILLER not in stack.logs()


def test_a_message_deleted_from_the_queue_costs_seconds_and_not_the_job(short_tmp: Path, echo_bundle: Path) -> None:
    texts = [f"잃어버린 소식 {number}" for number in range(100)]
    with running_stack(short_tmp, echo_bundle, workers=0) as stack:
        job = submit_texts(stack, texts)
        with stack.redis() as redis:
            assert redis.delete(keys.queue(keys.BULK_QUEUE)) == 1
        stack.add_worker()
        finish(stack, job, timeout_s=60)
        assert_own_verdicts(result_lines(stack, job), texts)


def test_a_store_killed_and_started_again_on_its_append_only_file_loses_nothing(stack: Stack) -> None:
    texts = [f"저장소 너머 {number}" for number in range(4_000)]
    job = submit_texts(stack, texts)
    wait_for_progress(stack, job, 500)

    stack.store.kill()
    time.sleep(1)
    stack.start_store()

    finish(stack, job)
    assert_own_verdicts(result_lines(stack, job), texts)


def test_a_killed_api_has_the_job_when_it_is_back(stack: Stack) -> None:
    texts = [f"돌아온 주소 {number}" for number in range(3_000)]
    job = submit_texts(stack, texts)
    wait_for_progress(stack, job, 300)

    stack.api.kill()
    stack.api.start()
    stack.wait_ready(2)

    finish(stack, job)
    assert_own_verdicts(result_lines(stack, job), texts)


def test_a_worker_told_to_stop_gives_its_chunks_back_at_once(stack: Stack) -> None:
    texts = [f"이어받은 일 {number}" for number in range(4_000)]
    job = submit_texts(stack, texts)
    wait_for_progress(stack, job, 500)

    assert stack.workers[0].kill(signal.SIGTERM) == 0

    finish(stack, job)
    with stack.redis() as redis:
        assert not redis.exists(keys.job_part(job["id"], ":leases"))
    assert "chunks_reopened" not in stack.logs()
    assert_own_verdicts(result_lines(stack, job), texts)


def test_ten_small_jobs_do_not_wait_behind_a_large_one(stack: Stack) -> None:
    large = submit_texts(stack, [f"긴 줄 {number}" for number in range(30_000)])
    wait_for_progress(stack, large, 1)

    small = [submit_texts(stack, [f"짧은 줄 {number}-{row}" for row in range(10)]) for number in range(10)]
    for job in small:
        finish(stack, job)

    assert job_of(stack, large)["status"] == "in_progress"


def test_interactive_texts_are_answered_while_a_job_runs(stack: Stack) -> None:
    large = submit_texts(stack, [f"뒤에서 도는 일 {number}" for number in range(20_000)])
    wait_for_progress(stack, large, 1)

    answers = [
        httpx.post(f"{stack.url}/predict", json={"text": f"급한 글 {number}"}, timeout=10) for number in range(20)
    ]

    assert {answer.status_code for answer in answers} == {200}
    assert job_of(stack, large)["status"] == "in_progress"
