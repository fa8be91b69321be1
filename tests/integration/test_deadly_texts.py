"""A text that crashes native code, and two real workers: it ends one of them, once."""

import time
from pathlib import Path

import httpx
import pytest

from tests.support.jobs import finish, submit_texts
from tests.support.stack import running_stack
from worker.quarantine.known import LOOK_S

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

CRASHER = "이 글에 프로세스가 무너집니다"


def test_a_text_that_ended_one_worker_ends_no_other(echo_bundle: Path, tmp_path: Path) -> None:
    with running_stack(tmp_path, echo_bundle, workers=2, echo_crash=CRASHER, heartbeat_ttl_s=3) as stack:
        with httpx.Client(base_url=stack.url, timeout=60) as client:
            first = client.post("/predict", json={"texts": [CRASHER, "글"]})
            assert first.json()["results"][0]["error"]["code"] == "prediction_failed"
            alive = [worker for worker in stack.workers if worker.process and worker.process.poll() is None]
            assert len(alive) == 1

            alive.append(stack.add_worker())
            stack.wait_ready(2)
            time.sleep(2 * LOOK_S)
            for number in range(20):
                deadly, other = client.post("/predict", json={"texts": [CRASHER, f"글 {number}"]}).json()["results"]
                assert deadly["error"]["code"] == "prediction_failed"
                assert "classification" in other

        counts = finish(stack, submit_texts(stack, ["앞", CRASHER, "뒤"]))["request_counts"]
        assert (counts["completed"], counts["failed"]) == (2, 1)
        assert all(worker.process and worker.process.poll() is None for worker in alive)
