"""The webhook at a job's end, delivered to real servers."""

import base64
import hashlib
import hmac
import json
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.receiver import running_receiver
from tests.support.stack import Stack, running_stack, wait_until

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def stack(echo_bundle: Path) -> Iterator[Stack]:
    settings: dict[str, Any] = {
        "webhook_secret": "a secret",
        "webhook_allow_private": True,
        "webhook_attempts": 2,
        "webhook_timeout_s": 60,
        "job_poll_s": 0.5,
    }
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as folder,
        running_stack(Path(folder), echo_bundle, **settings) as running,
    ):
        yield running


def send_job(stack: Stack, hook: str) -> str:
    answer = httpx.post(f"{stack.url}/jobs", json={"texts": ["글"], "webhook_url": hook})
    assert answer.status_code == 202
    return str(answer.json()["id"])


def webhook_of(stack: Stack, job_id: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{stack.url}/jobs/{job_id}").json()["webhook"]
    return found


def test_the_end_of_a_job_is_told_signed_and_again_when_the_other_side_failed(stack: Stack) -> None:
    with running_receiver(302) as receiver:
        job_id = send_job(stack, f"{receiver.url}/hook?board=free")
        wait_until(lambda: webhook_of(stack, job_id)["attempts"] == 1, "the first attempt")
        wait_until(lambda: webhook_of(stack, job_id)["last_error"] is not None, "its failure")
        failed = webhook_of(stack, job_id)

        # After 5 s; a redirect is a failure too, and is not followed.
        wait_until(lambda: webhook_of(stack, job_id)["status"] == "delivered", "the second delivery")

    assert (failed["status"], failed["last_error"]) == ("pending", "the receiver answered with status 302")
    assert webhook_of(stack, job_id) == {
        "status": "delivered", "attempts": 2, "last_error": None, "next_attempt_at": None
    }  # fmt: skip
    assert [path for path, _, _ in receiver.deliveries] == ["/hook?board=free"] * 2
    _, headers, body = receiver.deliveries[-1]
    event = json.loads(body)
    assert (event["type"], event["data"]["id"], event["data"]["status"]) == ("job.completed", job_id, "completed")
    signed = f"{job_id}.{headers['webhook-timestamp']}.".encode() + body
    signature = base64.b64encode(hmac.digest(b"a secret", signed, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{signature}"


def test_a_receiver_that_never_answers_delays_no_other(stack: Stack) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=50) as silent, running_receiver() as receiver:
        slow = [send_job(stack, f"http://127.0.0.1:{silent.getsockname()[1]}/") for _ in range(5)]
        wait_until(lambda: sum(webhook_of(stack, job)["attempts"] for job in slow) == 2, "two attempts at once")
        quick = send_job(stack, receiver.url)
        wait_until(lambda: webhook_of(stack, quick)["status"] == "delivered", "the delivery beside them")

        assert [webhook_of(stack, job)["status"] for job in slow] == ["pending"] * 5
        assert sum(webhook_of(stack, job)["attempts"] for job in slow) == 2
    for job in slow:
        httpx.delete(f"{stack.url}/jobs/{job}")


def test_a_webhook_that_was_given_up_says_so_in_its_job(stack: Stack) -> None:
    with running_receiver(500, 500) as receiver:
        job_id = send_job(stack, receiver.url)
        wait_until(lambda: webhook_of(stack, job_id)["status"] == "failed", "the end of the attempts")

    assert webhook_of(stack, job_id) == {
        "status": "failed", "attempts": 2, "last_error": "the receiver answered with status 500",
        "next_attempt_at": None,
    }  # fmt: skip
    assert len(receiver.deliveries) == 2
    assert "webhook_given_up" in stack.logs()


def test_a_webhook_to_a_private_address_is_refused(short_tmp: Path, echo_bundle: Path) -> None:
    with running_receiver() as receiver, running_stack(short_tmp, echo_bundle, webhook_secret="s") as stack:
        answer = httpx.post(f"{stack.url}/jobs", json={"texts": ["글"], "webhook_url": receiver.url})
        assert (answer.status_code, answer.json()["error"]["param"]) == (422, "webhook_url")
        assert not receiver.deliveries
