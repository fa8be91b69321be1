"""The bulk runner's hands: chunks that were begun before are taken one at a time."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from shared import keys
from shared.jobs.ledger import Ledger
from shared.jobs.packing import pack_rows
from shared.jobs.records import JobSpec, Row
from shared.settings import Settings
from tests.support.held_engine import HeldEngine
from tests.support.job_parts import JobParts
from tests.support.stack import wait_until
from tests.support.valkey import running_valkey
from worker.bulk.runner import BulkRunner
from worker.main import build_classifier

pytestmark = pytest.mark.integration

SUSPECTS = 4
OWNER = "owner"


@pytest.fixture
def redis() -> Iterator[Redis]:
    with running_valkey() as url, Redis.from_url(url) as client:
        yield client


def test_of_chunks_that_were_begun_before_a_worker_holds_one_and_is_charged_with_no_other(
    redis: Redis, echo_bundle: Path
) -> None:
    settings = Settings(model=str(echo_bundle), bulk_threads=SUSPECTS, job_poll_s=0.05)
    parts, ledger = JobParts(redis, settings), Ledger(redis, settings)
    job_id = parts.writer.begin(OWNER)
    for row in range(SUSPECTS):
        parts.writer.append(job_id, row, pack_rows([Row(row + 1, f"댓글 {row}")]))
    parts.writer.commit(job_id, OWNER, JobSpec(format="txt"), SUSPECTS, None)
    assert all(ledger.lease("dead") for _ in range(SUSPECTS))
    ledger.sweep()  # "dead" has no heartbeat

    redis.set(keys.worker("alive"), "here")
    HeldEngine.may_go.set()
    classifier = build_classifier(settings, HeldEngine)
    HeldEngine.hold()
    runner = BulkRunner(ledger, classifier, settings, "alive", lambda _outcomes: None)
    runner.start()
    try:
        assert HeldEngine.entered.wait(10)
        begun = sorted(int(attempts) for attempts in redis.hvals(keys.job_part(job_id, ":attempts")))
        assert begun == [1] * (SUSPECTS - 1) + [2]
        HeldEngine.may_go.set()
        wait_until(lambda: parts.store.get(job_id, OWNER).status == "completed", "the job's end")
    finally:
        HeldEngine.may_go.set()
        runner.stop(5)
        classifier.batcher.close()
