"""The webhook at a job's end, delivered to a real server."""

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.receiver import running_receiver
from tests.support.stack import running_stack, wait_until

pytestmark = pytest.mark.integration


def test_the_end_of_a_job_is_told_signed_and_again_when_the_other_side_failed(
    short_tmp: Path, echo_bundle: Path
) -> None:
    settings: dict[str, Any] = {"webhook_secret": "a secret", "webhook_allow_private": True}
    with running_receiver(302) as receiver, running_stack(short_tmp, echo_bundle, **settings) as stack:
        hook = f"{receiver.url}/hook?board=free"
        job = httpx.post(f"{stack.url}/jobs", json={"texts": ["글"], "webhook_url": hook}).json()

        # After 5 s; a redirect is a failure too, and is not followed.
        wait_until(lambda: len(receiver.deliveries) >= 2, "the second delivery", 60)

        assert {path for path, _, _ in receiver.deliveries} == {"/hook?board=free"}
        _, headers, body = receiver.deliveries[-1]
        event = json.loads(body)
        assert (event["type"], event["data"]["id"], event["data"]["status"]) == (
            "job.completed",
            job["id"],
            "completed",
        )
        signed = f"{job['id']}.{headers['webhook-timestamp']}.".encode() + body
        signature = base64.b64encode(hmac.digest(b"a secret", signed, hashlib.sha256)).decode()
        assert headers["webhook-signature"] == f"v1,{signature}"


def test_a_webhook_to_a_private_address_is_refused(short_tmp: Path, echo_bundle: Path) -> None:
    with running_receiver() as receiver, running_stack(short_tmp, echo_bundle, webhook_secret="s") as stack:
        answer = httpx.post(f"{stack.url}/jobs", json={"texts": ["글"], "webhook_url": receiver.url})
        assert (answer.status_code, answer.json()["error"]["param"]) == (422, "webhook_url")
        assert not receiver.deliveries
