"""Metrics, log lines and health checks of real processes."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.metrics import grown, samples, value
from tests.support.stack import ROOT, Stack, free_port, running_stack, wait_until

pytestmark = pytest.mark.integration

POISON = "이 문장에서 모델이 넘어집니다"


@pytest.fixture(scope="module")
def metrics_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def stack(echo_bundle: Path, metrics_port: int) -> Iterator[Stack]:
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as folder,
        running_stack(Path(folder), echo_bundle, echo_poison=POISON, worker_metrics_port=metrics_port) as running,
    ):
        yield running


def post(stack: Stack, body: dict, **headers: str) -> httpx.Response:
    return httpx.post(f"{stack.url}/predict", json=body, headers=headers, timeout=60)


def test_requests_are_counted_by_route_method_and_code(stack: Stack) -> None:
    before = samples(stack.url)
    post(stack, {"text": "세어 볼 댓글"})
    post(stack, {"text": ""})
    for path in ("/made-up", "/made-up-too"):
        httpx.get(stack.url + path)
    after = samples(stack.url)

    requests = "kobert_http_requests_total"
    assert grown(before, after, requests, route="/predict", method="POST", code="200") == 1
    assert grown(before, after, requests, route="/predict", method="POST", code="422") == 1
    assert grown(before, after, requests, route="unmatched", method="GET", code="404") == 2
    assert not any("made-up" in str(labels) for _, labels in after)


def test_a_method_that_nobody_knows_makes_no_series_of_its_own(stack: Stack) -> None:
    httpx.request("PROPFIND", f"{stack.url}/predict")
    after = samples(stack.url)

    assert not any("PROPFIND" in str(labels) for _, labels in after)
    assert any(("method", "OTHER") in labels for _, labels in after)


def test_the_time_of_a_predict_is_split_into_queue_tokenization_and_inference(stack: Stack) -> None:
    before = samples(stack.url)
    assert post(stack, {"text": "시간을 재 볼 댓글"}).status_code == 200
    after = samples(stack.url)

    for stage in ("queue", "tokenization", "inference"):
        assert grown(before, after, "kobert_predict_stage_seconds_count", stage=stage) == 1
        assert grown(before, after, "kobert_predict_stage_seconds_sum", stage=stage) > 0


def test_what_is_refused_is_counted_by_reason(stack: Stack) -> None:
    before = samples(stack.url)
    post(stack, {"texts": ["좋아요", "", POISON]})
    post(stack, {"nothing": 1})
    after = samples(stack.url)

    assert grown(before, after, "kobert_refused_total", unit="text", reason="empty_text") == 1
    assert grown(before, after, "kobert_refused_total", unit="text", reason="prediction_failed") == 1
    assert grown(before, after, "kobert_refused_total", unit="request", reason="invalid_request") == 1


def test_live_workers_and_their_model_are_told(stack: Stack) -> None:
    found = samples(stack.url)
    worker = stack.info()["workers"][0]

    assert value(found, "kobert_workers") == 1
    assert value(found, "kobert_store_up") == 1
    assert value(found, "kobert_model_info", model="echo", revision=worker["revision"]) == 1
    assert value(found, "kobert_worker_rss_bytes", worker=worker["id"]) > 1 << 20
    assert value(found, "process_resident_memory_bytes") > 1 << 20


def test_a_worker_tells_its_passes_on_a_port_of_its_own(stack: Stack, metrics_port: int) -> None:
    url = f"http://127.0.0.1:{metrics_port}"
    before = samples(url)
    assert post(stack, {"texts": ["하나", "둘 셋", POISON]}).status_code == 200

    def failed() -> float:
        return grown(before, samples(url), "kobert_worker_texts_total", outcome="prediction_failed")

    wait_until(lambda: failed() == 1, "the message's count, of which this is the last")
    after = samples(url)

    assert grown(before, after, "kobert_worker_queue_seconds_count") == 1
    assert grown(before, after, "kobert_worker_texts_total", outcome="predicted") == 2
    assert grown(before, after, "kobert_worker_pass_windows_sum") == 2
    assert grown(before, after, "kobert_worker_pass_tokens_sum") > 2
    assert grown(before, after, "kobert_worker_tokenization_seconds_count") == 1
    assert value(after, "process_resident_memory_bytes") > 1 << 20


def test_messages_that_wait_are_counted_with_the_age_of_the_oldest(short_tmp: Path, echo_bundle: Path) -> None:
    # A heartbeat that outlives the pause, so that the API goes on sending.
    with running_stack(short_tmp, echo_bundle, heartbeat_ttl_s=60) as stack:
        os.kill(stack.workers[0].pid, signal.SIGSTOP)
        clients: list[threading.Thread] = []

        def waits() -> bool:
            # The store gives the first message to the worker, which had asked for one. Texts that come together share a
            # message, so another text is sent until a message is left in the queue.
            if value(samples(stack.url), "kobert_queue_messages", kind="interactive") == 0:
                clients.append(threading.Thread(target=post, args=(stack, {"text": f"기다리는 댓글 {len(clients)}"})))
                clients[-1].start()
            return value(samples(stack.url), "kobert_queue_oldest_seconds", kind="interactive") > 0.5

        try:
            wait_until(waits, "a message that waits", timeout_s=20)
            assert value(samples(stack.url), "kobert_queue_messages", kind="interactive") >= 1
            assert value(samples(stack.url), "kobert_inflight_texts") == len(clients) > 1
        finally:
            os.kill(stack.workers[0].pid, signal.SIGCONT)
        for client in clients:
            client.join()
        assert value(samples(stack.url), "kobert_queue_messages", kind="interactive") == 0
        assert value(samples(stack.url), "kobert_queue_oldest_seconds", kind="interactive") == 0


def test_without_redis_the_metrics_say_so_and_nothing_of_the_queues(short_tmp: Path, echo_bundle: Path) -> None:
    with running_stack(short_tmp, echo_bundle) as stack:
        stack.store.kill()
        wait_until(lambda: value(samples(stack.url), "kobert_store_up") == 0, "the notice that Redis is away")

        assert not any(name == "kobert_queue_messages" for name, _ in samples(stack.url))


def events(log: Path) -> list[dict]:
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


def test_one_request_is_one_line_in_each_process_under_its_id_and_without_its_text(stack: Stack) -> None:
    secret = "로그에 남으면 안 되는 댓글"
    post(stack, {"texts": [secret, ""]}, **{"X-Request-ID": "order-7"})

    def of_the_api() -> list[dict]:
        return [event for event in events(stack.api.log) if event.get("request_id") == "order-7"]

    def of_the_worker() -> list[dict]:
        return [event for event in events(stack.workers[0].log) if "order-7" in event.get("request_ids", ())]

    # Either process writes its line after the answer has gone out.
    wait_until(lambda: len(of_the_api()) == len(of_the_worker()) == 1, "the line of each process")
    (of_api,), (of_worker,) = of_the_api(), of_the_worker()
    assert (of_api["process"], of_worker["process"]) == ("api", "worker")
    assert (of_api["event"], of_api["route"], of_api["code"]) == ("request", "/predict", 200)
    assert (of_api["texts"], of_api["texts_failed"]) == (2, 1)
    assert (of_worker["event"], of_worker["texts"]) == ("texts_classified", 1)
    assert secret not in stack.logs()


def health(stack: Stack, module: str) -> int:
    command = [sys.executable, "-P", "-m", module]
    return subprocess.run(command, env=stack.environment, cwd=ROOT, capture_output=True, check=False).returncode


def test_health_checks_pass_while_their_process_works_and_fail_when_it_hangs_or_is_gone(
    short_tmp: Path, echo_bundle: Path
) -> None:
    with running_stack(short_tmp, echo_bundle, heartbeat_ttl_s=2) as stack:
        assert health(stack, "api.health") == 0
        assert health(stack, "worker.health") == 0
        os.kill(stack.workers[0].pid, signal.SIGSTOP)
        wait_until(lambda: health(stack, "worker.health") == 1, "the hanging worker's being unhealthy")
        os.kill(stack.workers[0].pid, signal.SIGCONT)
        wait_until(lambda: health(stack, "worker.health") == 0, "the worker's being healthy again")
        stack.api.kill()
        assert health(stack, "api.health") == 1
        stack.store.kill()
        assert health(stack, "worker.health") == 1


def test_a_sigterm_ends_the_api_with_exit_code_0(short_tmp: Path, echo_bundle: Path) -> None:
    with running_stack(short_tmp, echo_bundle) as stack:
        assert stack.api.kill(signal.SIGTERM) == 0


def test_workers_of_one_machine_have_metrics_ports_in_a_row(short_tmp: Path) -> None:
    first = free_port(in_a_row=2)
    kobert = Path(sys.executable).parent / "kobert"
    environment = {
        **{name: text for name, text in os.environ.items() if name != "REDIS_URL"},
        "PORT": str(free_port()),
        "WORKERS": "2",
        "DATA_DIR": str(short_tmp / "data"),
        "WORKER_METRICS_PORT": str(first),
    }
    running = subprocess.Popen([kobert, "run"], env=environment, cwd=short_tmp, stdout=subprocess.DEVNULL)

    def both_answer() -> bool:
        with contextlib.suppress(httpx.TransportError):
            return all("kobert_worker_model_info" in httpx.get(f"http://127.0.0.1:{port}/metrics").text
                       for port in (first, first + 1))  # fmt: skip
        return False

    try:
        wait_until(both_answer, "an answer of both workers")
    finally:
        running.terminate()
        running.wait(30)


def test_a_metrics_port_in_use_is_one_clear_sentence(stack: Stack, metrics_port: int) -> None:
    environment = {**stack.environment, "WORKER_METRICS_PORT": str(metrics_port)}
    command = [sys.executable, "-m", "tests.support.echo"]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 78
    assert f"cannot listen on 127.0.0.1 port {metrics_port}" in done.stderr
    assert "Traceback" not in done.stderr
