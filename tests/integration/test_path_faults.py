"""The path of a text when a process on it dies, hangs, leaves or was never there."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from shared import keys
from tests.support.senders import assert_own_answer, send_all
from tests.support.stack import Stack, running_stack, wait_until

pytestmark = pytest.mark.integration
HANG = "이 문장에서 모델이 멈춥니다"


@pytest.fixture
def own_stack(short_tmp: Path, echo_bundle: Path) -> Iterator[Stack]:
    """A stack of this test's own, to be broken."""
    with running_stack(short_tmp, echo_bundle, echo_pass_s=0.05, visibility_timeout_s=4) as running:
        yield running


def test_every_request_in_flight_ends_when_the_worker_is_killed_and_the_next_is_answered(own_stack: Stack) -> None:
    texts = [f"죽음을 넘어서는 댓글 {number}" for number in range(50)]

    async def scenario() -> dict[str, httpx.Response]:
        requests = asyncio.create_task(send_all(own_stack, texts, clients=50))
        await asyncio.sleep(0.1)  # some are in the model, some with Celery, some still in Redis
        own_stack.workers[0].kill()
        own_stack.add_worker()
        return await requests

    answers = asyncio.run(scenario())

    assert len(answers) == 50
    for text, answer in answers.items():
        if answer.status_code == 200:
            assert_own_answer(text, answer)
        else:
            assert answer.json()["error"]["code"] in {"deadline_exceeded", "no_worker"}
    assert sum(answer.status_code == 200 for answer in answers.values()) >= 45
    own_stack.wait_ready()
    assert_own_answer("그 다음 댓글", httpx.post(f"{own_stack.url}/predict", json={"text": "그 다음 댓글"}, timeout=60))


def test_without_a_worker_the_answer_is_503_at_once(own_stack: Stack) -> None:
    own_stack.workers[0].kill(signal.SIGTERM)

    def refused() -> bool:
        return httpx.get(f"{own_stack.url}/ready").status_code == 503

    wait_until(refused, "the notice that no worker is left")
    answer = httpx.post(f"{own_stack.url}/predict", json={"text": "아무도 없나요"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_worker")
    assert int(answer.headers["retry-after"]) > 0


def test_a_worker_that_has_stopped_is_not_counted_any_more(short_tmp: Path, echo_bundle: Path) -> None:
    """A rolling restart ends the next worker once `/ready` counts as many as before."""
    settings = {"heartbeat_interval_s": 30, "heartbeat_ttl_s": 120}
    with running_stack(short_tmp, echo_bundle, workers=2, **settings) as stack:
        stack.workers[0].kill(signal.SIGTERM)

        assert httpx.get(f"{stack.url}/ready").json()["workers"] == 1


def test_a_worker_of_jobs_alone_answers_nobody_who_waits(short_tmp: Path, echo_bundle: Path) -> None:
    stack = Stack(short_tmp, echo_bundle)
    try:
        stack.start_store()
        bulk = stack.add_worker(worker_takes="jobs")
        stack.api.start()

        def has_a_worker() -> bool:
            with contextlib.suppress(httpx.TransportError):
                return httpx.get(f"{stack.url}/info").json()["workers"] != []
            return False

        wait_until(has_a_worker, "the first heartbeat")
        assert httpx.get(f"{stack.url}/ready").json()["error"]["code"] == "no_worker"
        stack.add_worker()
        stack.wait_ready(workers=2)
        assert_own_answer(
            "기다리는 사람의 댓글", httpx.post(f"{stack.url}/predict", json={"text": "기다리는 사람의 댓글"})
        )
        assert bulk.process is not None
        assert bulk.process.poll() is None
    finally:
        stack.stop()


def test_a_store_away_for_10_s_means_503_then_answers_with_no_restart_of_api_or_worker(own_stack: Stack) -> None:
    pids = (own_stack.api.pid, own_stack.workers[0].pid)
    assert_own_answer("떠나기 전", httpx.post(f"{own_stack.url}/predict", json={"text": "떠나기 전"}))
    own_stack.store.kill()
    down_at = time.monotonic()

    statuses = []
    while time.monotonic() - down_at < 10:
        answer = httpx.post(f"{own_stack.url}/predict", json={"text": "저장소가 없을 때"}, timeout=60)
        statuses.append(answer.status_code)
        assert answer.json()["error"]["code"] == "store_unavailable"
        time.sleep(0.2)
    assert set(statuses) == {503}
    own_stack.start_store()
    own_stack.wait_ready()

    assert_own_answer("돌아온 뒤", httpx.post(f"{own_stack.url}/predict", json={"text": "돌아온 뒤"}, timeout=60))
    for part, pid in zip((own_stack.api, own_stack.workers[0]), pids, strict=True):
        assert part.process is not None
        assert part.process.poll() is None
        assert part.pid == pid


def test_sigterm_finishes_the_work_in_hand_and_exits_with_0(own_stack: Stack) -> None:
    async def scenario() -> dict[str, httpx.Response]:
        requests = asyncio.create_task(send_all(own_stack, ["손에 든 일"], clients=1))
        await asyncio.sleep(0.04)
        assert await asyncio.to_thread(own_stack.workers[0].kill, signal.SIGTERM) == 0
        own_stack.add_worker()
        return await requests

    answers = asyncio.run(scenario())
    assert_own_answer("손에 든 일", answers["손에 든 일"])


def test_a_message_that_redis_handed_to_a_worker_as_it_left_is_answered_by_another(own_stack: Stack) -> None:
    """The worker that leaves is played by the test: it takes the message and withdraws without a word (kombu#305)."""
    own = "leaving"
    with own_stack.redis() as redis, ThreadPoolExecutor(1) as caller:
        (name,) = redis.zrange(keys.WORKERS, 0, -1)
        beat = redis.get(keys.worker(name.decode()))
        redis.set(keys.worker(own), beat.replace(name, own.encode()))
        redis.zadd(keys.WORKERS, {own: time.time()})
        own_stack.workers[0].kill(signal.SIGTERM)
        wait_until(lambda: own in httpx.get(f"{own_stack.url}/info").text, "the worker that will leave")
        sent = caller.submit(httpx.post, f"{own_stack.url}/predict", json={"text": "떠나며 받은 글"}, timeout=60)
        assert redis.brpop(keys.queue(keys.INTERACTIVE_QUEUE), timeout=10)
        own_stack.add_worker()
        wait_until(lambda: redis.zcard(keys.WORKERS) == 2, "another worker")
        redis.delete(keys.worker(own))
        redis.zrem(keys.WORKERS, own)

        assert_own_answer("떠나며 받은 글", sent.result())


def test_the_api_exits_with_0_when_told_to_stop_and_leaves_no_stream(own_stack: Stack) -> None:
    assert_own_answer("마지막", httpx.post(f"{own_stack.url}/predict", json={"text": "마지막"}))

    assert own_stack.api.kill(signal.SIGTERM) == 0

    with own_stack.redis() as redis:
        assert not list(redis.scan_iter("kobert:replies:*"))


@pytest.mark.parametrize("model_threads", [1, 3])
def test_a_worker_with_a_model_thread_that_hangs_exits_and_its_texts_go_to_the_next(
    short_tmp: Path, echo_bundle: Path, model_threads: int
) -> None:
    settings = {"model_threads": model_threads, "stall_timeout_s": 2, "predict_timeout_s": 6}
    with running_stack(short_tmp, echo_bundle, echo_hang=HANG, **settings) as stack:
        answer = httpx.post(f"{stack.url}/predict", json={"text": HANG}, timeout=60)

        assert (answer.status_code, answer.json()["error"]["code"]) == (504, "deadline_exceeded")
        process = stack.workers[0].process
        assert process is not None
        # Before it would have ended by STALL_TIMEOUT_S's default, 30 s.
        wait_until(lambda: process.poll() is not None, "the exit of the worker that hangs", 25)
        assert process.returncode == 70
