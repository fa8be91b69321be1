"""A store of one's own that is set up wrong, or whose disk or memory fills up while the service runs."""

import os
import resource
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from shared import keys
from shared.errors import EXIT_CONFIG
from tests.integration.test_start import start
from tests.support.jobs import assert_own_verdicts, finish, job_of, result_lines, submit_texts
from tests.support.stack import Stack, running_stack, wait_until
from tests.support.valkey import running_valkey

pytestmark = pytest.mark.integration

TEXTS = [f"꽉 찬 디스크 {number}" for number in range(3_000)]


@pytest.fixture
def stack(short_tmp: Path, echo_bundle: Path) -> Iterator[Stack]:
    with running_stack(short_tmp, echo_bundle, echo_pass_s=0.005, job_poll_s=0.3) as running:
        yield running


def fill_disk(stack: Stack) -> None:
    """Let no file of the store's grow any more, as on a full disk."""
    commands = max((stack.folder / "appendonlydir").glob("*.incr.aof"), key=lambda path: path.stat().st_size)
    limit_files(stack, commands.stat().st_size)


def limit_files(stack: Stack, size: int) -> None:
    resource.prlimit(stack.store.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def predict(stack: Stack) -> httpx.Response:
    return httpx.post(f"{stack.url}/predict", json={"text": "되나요?"}, timeout=40)


def ready(stack: Stack) -> httpx.Response:
    return httpx.get(f"{stack.url}/ready", timeout=10)


def wait_for_code(stack: Stack, code: str) -> None:
    wait_until(lambda: ready(stack).json().get("error", {}).get("code") == code, f"{code} in /ready")


def test_a_full_disk_is_named_what_can_be_answered_is_and_all_goes_on_when_there_is_room(stack: Stack) -> None:
    done = submit_texts(stack, TEXTS[:50])
    finish(stack, done)
    running = submit_texts(stack, TEXTS)
    fill_disk(stack)
    wait_for_code(stack, "disk_full")

    for _ in range(3):
        answer = predict(stack)
        assert answer.status_code == 503, answer.text
        assert answer.json()["error"]["code"] == "disk_full"
        assert "cannot write to its disk (" in answer.json()["error"]["message"]
        assert int(answer.headers["retry-after"]) > 2
    refused = httpx.post(f"{stack.url}/jobs", json={"texts": TEXTS[:3]})
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "disk_full")
    deleted = httpx.delete(f"{stack.url}/jobs/{done['id']}")
    assert (deleted.status_code, deleted.json()["error"]["code"]) == (503, "disk_full")
    assert httpx.get(f"{stack.url}/health").status_code == 200
    assert httpx.get(f"{stack.url}/info").status_code == 200
    assert {job["id"] for job in httpx.get(f"{stack.url}/jobs").json()["data"]} == {running["id"], done["id"]}
    assert_own_verdicts(result_lines(stack, done), TEXTS[:50])
    time.sleep(6)  # longer than a heartbeat lives
    assert predict(stack).json()["error"]["code"] == "disk_full"

    limit_files(stack, resource.RLIM_INFINITY)

    wait_until(lambda: predict(stack).status_code == 200, "an answer once there is room")
    finish(stack, running)
    assert_own_verdicts(result_lines(stack, running), TEXTS)
    assert httpx.delete(f"{stack.url}/jobs/{done['id']}").status_code == 200
    assert all(worker.is_running for worker in stack.workers)
    assert "Traceback" not in stack.logs()
    assert "chunk_halved" not in stack.logs()
    repeated = Counter(
        (event["process"], event["event"]) for event in stack.events() if event["level"] in {"warning", "error"}
    )
    assert max(repeated.values()) <= 3, repeated


def test_a_full_memory_is_named_and_no_worker_is_said_to_be_missing(stack: Stack) -> None:
    with stack.redis() as redis:
        redis.config_set("maxmemory", str(redis.info("memory")["used_memory"] // 2))
        wait_for_code(stack, "store_full")
        time.sleep(6)
        answer = predict(stack)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "store_full")
        redis.config_set("maxmemory", "0")

    wait_until(lambda: predict(stack).status_code == 200, "an answer once there is memory")


def test_a_text_that_a_worker_lost_to_a_full_disk_is_answered_once_there_is_room(stack: Stack) -> None:
    (worker,) = stack.workers
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(1) as pool, stack.redis() as redis:
            for client in redis.client_list():
                if client["cmd"] == "brpop":  # the worker's, which the store would serve though it stands still
                    redis.client_kill_filter(_id=client["id"])
            sent_at = time.monotonic()
            answer = pool.submit(predict, stack)
            # As a worker does that can then not note that it has the message.
            assert redis.brpop([keys.queue(keys.INTERACTIVE_QUEUE)], timeout=10)
            fill_disk(stack)
            wait_for_code(stack, "disk_full")
            os.kill(worker.pid, signal.SIGCONT)
            limit_files(stack, resource.RLIM_INFINITY)
            assert answer.result().status_code == 200, answer.result().text
    finally:
        os.kill(worker.pid, signal.SIGCONT)
    assert time.monotonic() - sent_at < 30  # which is `PREDICT_TIMEOUT_S`


@pytest.mark.parametrize("module", ["api.main", "worker.main"])
def test_a_store_that_drops_jobs_is_refused_at_the_start(module: str) -> None:
    with running_valkey(**{"maxmemory-policy": "allkeys-lru", "maxmemory": "64mb"}) as url:
        ended = start(module, redis_url=url)

    assert ended.returncode == EXIT_CONFIG
    assert "maxmemory-policy allkeys-lru" in ended.stderr
    assert "STORE_CHECKS=warn" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_store_at_risk_is_served_and_ready_says_what_to_set(stack: Stack) -> None:
    wait_until(lambda: "store_warnings" in ready(stack).json(), "the store's first check")
    (warning,) = ready(stack).json()["store_warnings"]
    assert "set maxmemory" in warning
    assert job_of(stack, submit_texts(stack, TEXTS[:3]))["request_counts"]["total"] == 3


def test_a_store_that_is_set_wrong_later_is_refused_or_warned_of(short_tmp: Path, echo_bundle: Path) -> None:
    with running_stack(short_tmp, echo_bundle) as stack:
        with stack.redis() as redis:
            redis.config_set("maxmemory-policy", "volatile-ttl")
        stack.api.kill()
        stack.api.environment["STORE_CHECKS"] = "refuse"
        stack.api.start()
        assert stack.api.process is not None
        assert stack.api.process.wait(120) == EXIT_CONFIG

        stack.api.environment["STORE_CHECKS"] = "warn"
        stack.api.start()
        stack.wait_ready()
        wait_until(lambda: len(ready(stack).json().get("store_warnings", [])) == 2, "the warnings in /ready")
        assert "volatile-ttl" in ready(stack).json()["store_warnings"][0]
