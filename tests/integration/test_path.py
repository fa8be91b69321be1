"""The path of a text through real processes: API, Valkey, Celery worker, micro-batcher, and back."""

import asyncio
import contextlib
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from shared import keys
from tests.support.echo import echo_scores
from tests.support.stack import Stack, memory_bytes, running_stack, wait_until
from worker.main import WARM_UP_COUNT

pytestmark = pytest.mark.integration

POISON = "이 문장에서 모델이 넘어집니다"
HANG = "이 문장에서 모델이 멈춥니다"


@pytest.fixture(scope="module")
def stack(echo_bundle: Path) -> Iterator[Stack]:
    """A shared stack for the tests that break nothing."""
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as folder,
        running_stack(Path(folder), echo_bundle, echo_poison=POISON) as running,
    ):
        yield running


@pytest.fixture
def own_stack(short_tmp: Path, echo_bundle: Path) -> Iterator[Stack]:
    """A stack of this test's own, to be broken."""
    with running_stack(short_tmp, echo_bundle, echo_pass_s=0.05, visibility_timeout_s=4) as running:
        yield running


@asynccontextmanager
async def client_of(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    async with httpx.AsyncClient(base_url=stack.url, timeout=60, limits=limits) as client:
        yield client


def predict_all(stack: Stack, texts: list[str], clients: int) -> dict[str, httpx.Response]:
    """Send each text in a request of its own, from `clients` at once."""
    return asyncio.run(send_all(stack, texts, clients))


async def send_all(stack: Stack, texts: list[str], clients: int) -> dict[str, httpx.Response]:
    answers: dict[str, httpx.Response] = {}
    waiting = iter(texts)

    async def work(client: httpx.AsyncClient) -> None:
        for text in waiting:
            answers[text] = await client.post("/predict", json={"text": text})

    async with client_of(stack) as client:
        await asyncio.gather(*(work(client) for _ in range(clients)))
    return answers


def assert_own_answer(text: str, answer: httpx.Response) -> None:
    body = answer.json()
    assert answer.status_code == 200, body
    assert body["text"] == text
    assert body["scores"] == echo_scores(text), f"{text!r} got another text's answer"


def test_each_of_2000_texts_from_64_clients_gets_its_own_answer_and_batches_form(stack: Stack) -> None:
    texts = [f"동시에 보낸 {number}번째 댓글" for number in range(2000)]

    answers = predict_all(stack, texts, clients=64)

    assert len(answers) == 2000
    for text, answer in answers.items():
        assert_own_answer(text, answer)
    time.sleep(1.5)  # one heartbeat, which carries the counters
    assert stack.info()["workers"][0]["mean_batch_size"] > 1


def test_a_text_that_breaks_the_model_fails_alone_among_32(stack: Stack) -> None:
    texts = [f"멀쩡한 댓글 {number}" for number in range(31)]

    answers = predict_all(stack, [*texts[:16], POISON, *texts[16:]], clients=32)

    for text in texts:
        assert_own_answer(text, answers[text])
    failed = answers[POISON]
    assert failed.status_code == 500
    assert failed.json()["error"]["code"] == "prediction_failed"


def test_a_text_that_breaks_the_model_has_its_error_in_its_place_within_one_request(stack: Stack) -> None:
    texts = ["앞 문장", POISON, "뒤 문장", "", 7]

    answer = httpx.post(f"{stack.url}/predict", json={"texts": texts})

    assert answer.status_code == 200
    first, broken, last, empty, number = answer.json()["results"]
    assert (first["scores"], last["scores"]) == (echo_scores("앞 문장"), echo_scores("뒤 문장"))
    assert (broken["text"], broken["error"]["code"], broken["error"]["param"]) == (
        POISON,
        "prediction_failed",
        "texts[1]",
    )
    assert (empty["error"]["code"], empty["error"]["param"]) == ("empty_text", "texts[3]")
    assert (number["text"], number["error"]["code"]) == (7, "not_a_string")


def test_a_long_text_is_read_in_windows_and_the_reply_says_how_many(stack: Stack) -> None:
    answer = httpx.post(f"{stack.url}/predict", json={"text": "가" * 100}).json()

    # 300 byte tokens in windows of at most 62, each at most 47 after the one before.
    assert answer["windows"] == 7


def test_timings_come_as_headers_that_add_up(stack: Stack) -> None:
    headers = httpx.post(f"{stack.url}/predict", json={"text": "시간을 재 보자"}).headers

    parts = [float(headers[f"x-{part}-time"]) for part in ("queue", "tokenization", "inference")]
    assert all(part >= 0 for part in parts)
    assert sum(parts) == pytest.approx(float(headers["x-total-time"]), abs=0.05)


def test_the_same_request_id_comes_back(stack: Stack) -> None:
    answer = httpx.post(f"{stack.url}/predict", json={"text": " "}, headers={b"X-Request-ID": "주문-1".encode()})
    assert answer.headers["x-request-id"] != "주문-1"

    answer = httpx.post(f"{stack.url}/predict", json={"text": " "}, headers={"X-Request-ID": "order-1"})
    assert answer.headers["x-request-id"] == "order-1"
    assert answer.json()["error"]["request_id"] == "order-1"


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

    wait_until(refused, "the notice that no worker is left", timeout_s=10)
    answer = httpx.post(f"{own_stack.url}/predict", json={"text": "아무도 없나요"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_worker")
    assert int(answer.headers["retry-after"]) > 0


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
        wait_until(lambda: own in httpx.get(f"{own_stack.url}/info").text, "the worker that will leave", timeout_s=10)
        sent = caller.submit(httpx.post, f"{own_stack.url}/predict", json={"text": "떠나며 받은 글"}, timeout=60)
        assert redis.brpop(keys.queue(keys.INTERACTIVE_QUEUE), timeout=10)
        own_stack.add_worker()
        wait_until(lambda: redis.zcard(keys.WORKERS) == 2, "another worker", timeout_s=30)
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
        wait_until(lambda: process.poll() is not None, "the exit of the worker that hangs", timeout_s=10)
        assert process.returncode == 70


def test_more_texts_than_can_be_in_flight_are_refused_with_429(short_tmp: Path, echo_bundle: Path) -> None:
    with running_stack(short_tmp, echo_bundle, echo_pass_s=0.5, max_inflight_texts=8) as stack:
        answers = predict_all(stack, [f"밀려드는 댓글 {number}" for number in range(24)], clients=24)

        refused = [answer for answer in answers.values() if answer.status_code == 429]
        assert refused
        assert all(int(answer.headers["retry-after"]) > 0 for answer in refused)
        assert all(answer.json()["error"]["type"] == "rate_limit_error" for answer in refused)
        for text, answer in answers.items():
            if answer.status_code != 429:
                assert_own_answer(text, answer)


def test_the_api_imports_no_machine_learning_and_stays_under_100_mb(stack: Stack) -> None:
    maps = Path(f"/proc/{stack.api.pid}/maps").read_text()

    for library in ("torch", "transformers", "onnxruntime", "numpy", "tokenizers"):
        assert f"/{library}/" not in maps
    assert memory_bytes(stack.api.pid, "VmHWM") < 100 << 20


def test_the_worker_imports_no_torch(stack: Stack) -> None:
    maps = Path(f"/proc/{stack.workers[0].pid}/maps").read_text()

    assert "/onnxruntime/" in maps
    assert "/torch/" not in maps


def test_no_key_is_left_without_an_expiry_and_no_text_is_in_a_log(stack: Stack) -> None:
    secret = "로그에 남으면 안 되는 문장"
    assert httpx.post(f"{stack.url}/predict", json={"text": secret}).status_code == 200

    with stack.redis() as redis:
        # A message is acknowledged a moment after its answer.
        wait_until(lambda: not redis.exists("kobert:celery:unacked"), "the acknowledgement")
        forever = [key.decode() for key in redis.scan_iter() if redis.ttl(key) == -1]
    assert all(key.startswith("kobert:celery:_kombu.binding") for key in forever), forever
    assert secret not in stack.logs()


def test_long_texts_are_admitted_by_what_they_cost(short_tmp: Path, echo_bundle: Path) -> None:
    """Each is 20 windows long, so counted as texts far more would be let in than can be answered."""
    with running_stack(short_tmp, echo_bundle, echo_pass_s=0.1, predict_timeout_s=10) as running:
        long_texts = ["가" * 300 + str(number) for number in range(60)]
        assert httpx.post(f"{running.url}/predict", json={"texts": long_texts[:8]}, timeout=60).status_code == 200

        def is_told() -> bool:
            return running.info()["workers"][0]["texts"] >= WARM_UP_COUNT + 8

        wait_until(is_told, "the heartbeat after them")
        answers = predict_all(running, long_texts, clients=60)

    codes = [answer.status_code for answer in answers.values()]
    assert codes.count(429) >= 20
    assert codes.count(200) >= 1
