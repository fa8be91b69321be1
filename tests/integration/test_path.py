"""The path of a text through real processes: API, Valkey, Celery worker, micro-batcher, and back."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.echo import echo_scores
from tests.support.senders import assert_own_answer, predict_all
from tests.support.stack import Stack, memory_bytes, running_stack, wait_until
from worker.main import WARM_UP_COUNT

pytestmark = pytest.mark.integration

POISON = "이 문장에서 모델이 넘어집니다"


@pytest.fixture(scope="module")
def stack(echo_bundle: Path) -> Iterator[Stack]:
    """A shared stack for the tests that break nothing."""
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as folder,
        running_stack(Path(folder), echo_bundle, echo_poison=POISON) as running,
    ):
        yield running


def test_each_of_2000_texts_from_64_clients_gets_its_own_answer_and_batches_form(stack: Stack) -> None:
    texts = [f"동시에 보낸 {number}번째 댓글" for number in range(2000)]

    answers = predict_all(stack, texts, clients=64)

    assert len(answers) == 2000
    for text, answer in answers.items():
        assert_own_answer(text, answer)
    # The counters come with the next heartbeat.
    wait_until(lambda: any(worker["mean_batch_size"] > 1 for worker in stack.info()["workers"]), "batches of several")


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
