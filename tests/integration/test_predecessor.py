"""Workers that are killed and started again by a supervisor that tells nobody, as Docker and systemd do."""

import signal
from pathlib import Path

import pytest

from shared import keys
from tests.support.jobs import done_rows, finish, result_lines, submit_texts
from tests.support.stack import Part, Stack, running_stack, wait_until

pytestmark = pytest.mark.integration

# Longer than the test waits for anything: no heartbeat runs out, and no lease but by its worker's death.
LONG_S, SOON_S = 600, 60


def has_heartbeat(stack: Stack, worker: Part) -> bool:
    with stack.redis() as redis:
        members = [raw.decode() for raw in redis.zrange(keys.WORKERS, 0, -1)]
        return any(redis.exists(keys.worker(name)) for name in members if f"-{worker.pid}-" in name)


def test_what_a_dead_worker_had_is_handed_out_again_as_the_next_one_starts(short_tmp: Path, echo_bundle: Path) -> None:
    texts = [f"글 {number}" for number in range(400)]
    settings = {"heartbeat_ttl_s": LONG_S, "job_chunk_rows": 50, "job_poll_s": 0.5, "echo_pass_s": 0.1}
    with running_stack(short_tmp, echo_bundle, workers=2, **settings) as stack:
        dead, lives = stack.workers
        job = submit_texts(stack, texts)
        wait_until(lambda: done_rows(stack, job) > 0, "the first row")
        dead.kill(signal.SIGKILL)
        assert has_heartbeat(stack, dead)

        stack.add_worker()

        wait_until(lambda: not has_heartbeat(stack, dead), "the end of its heartbeat", SOON_S)
        assert has_heartbeat(stack, lives)
        finish(stack, job, SOON_S)
        assert [line["text"] for line in result_lines(stack, job)] == texts
