import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from shared.jobs.ledger import Ledger
from shared.jobs.packing import pack_rows, unpack_result
from shared.jobs.records import JobSpec, Lease, Row
from shared.options import PolicyRef, VerdictOptions
from shared.policies.hits import HitStore
from shared.policies.records import Policy
from shared.policies.rules_store import RulesStore
from shared.settings import Settings
from shared.verdict import Failure, Outcome, Verdict
from tests.support.echo import EchoEngine, echo_scores
from tests.support.held_engine import HeldEngine
from tests.support.job_parts import JobParts
from tests.support.stack import wait_until
from tests.support.valkey import running_valkey
from worker.bulk.chunks import SLICE_CHARS, ChunkWorker
from worker.inference.classifier import Classifier
from worker.main import build_classifier
from worker.rules.hits import HitCounter
from worker.rules.policies import PolicyRules

pytestmark = pytest.mark.integration

POISON = "이 문장에서 모델이 넘어집니다"
SETTINGS = Settings(job_attempts=3)


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    with running_valkey() as url, Redis.from_url(url) as client:
        yield client


@pytest.fixture(scope="module")
def classifier(echo_bundle: Path) -> Iterator[Classifier]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECHO_POISON", POISON)
        built = build_classifier(Settings(model=str(echo_bundle)), EchoEngine)
    yield built
    built.batcher.close()


class OneChunk:
    """A job of one chunk, which a chunk worker does as its `attempt`-th."""

    def __init__(self, redis: Redis, classifier: Classifier, rows: list[Row]) -> None:
        redis.flushall()
        self.ledger = Ledger(redis, SETTINGS)
        self._parts = JobParts(redis, SETTINGS)
        self._classifier = classifier
        self.stored: list[Outcome] = []
        self.job_id = self._parts.writer.begin("owner")
        self._parts.writer.append(self.job_id, 0, pack_rows(rows))
        self._parts.writer.commit(self.job_id, "owner", JobSpec(format="txt"), len(rows), None)

    def do(self, attempt: int = 1, *, stopping: bool = False) -> None:
        lease = msgspec.structs.replace(self.lease(), attempt=attempt)
        ChunkWorker(self.ledger, self._classifier, SETTINGS, lambda: stopping, self.stored.extend).do(lease)

    def lease(self) -> Lease:
        lease = self.ledger.lease("w")
        assert lease is not None
        return lease

    @property
    def outcomes(self) -> list[Outcome]:
        return unpack_result(self._parts.store.result_chunk(self.job_id, 0) or b"")[1].outcomes


class AwayOnce(RulesStore):
    """The rules of every policy are empty, once the store has been away for one reading."""

    reads = 0

    def read(self, ref: PolicyRef) -> Policy | None:
        self.reads += 1
        if self.reads == 1:
            raise RedisConnectionError("away")
        return Policy()


def test_a_chunk_whose_policy_cannot_be_read_is_given_back_and_done_later(redis: Redis, echo_bundle: Path) -> None:
    rules = PolicyRules(AwayOnce(redis), HitCounter(HitStore(redis)))
    ruled = build_classifier(Settings(model=str(echo_bundle)), EchoEngine, rules=rules)
    options = VerdictOptions(policy=PolicyRef("board", 1, "00"))
    chunk = OneChunk(redis, ruled, [Row(1, "가")])
    first = msgspec.structs.replace(chunk.lease(), options=options)
    worker = ChunkWorker(chunk.ledger, ruled, SETTINGS, lambda: False, chunk.stored.extend)

    worker.do(first)
    assert chunk.stored == []
    worker.do(msgspec.structs.replace(chunk.lease(), options=options))
    ruled.batcher.close()

    assert [outcome.scores for outcome in chunk.outcomes if isinstance(outcome, Verdict)] == [echo_scores("가")]


def test_every_row_has_its_outcome_in_its_place(redis: Redis, classifier: Classifier) -> None:
    rows = [Row(1, "가"), Row(2, None, error=Failure("no_text", "nothing there")), Row(3, POISON), Row(4, "나")]
    chunk = OneChunk(redis, classifier, rows)
    chunk.do()

    good, empty, poisoned, last = chunk.outcomes
    assert empty == Failure("no_text", "nothing there")
    assert isinstance(poisoned, Failure)
    assert poisoned.code == "prediction_failed"
    for outcome, text in ((good, "가"), (last, "나")):
        assert not isinstance(outcome, Failure)
        assert outcome.scores == echo_scores(text)
        assert list(outcome.scores) == classifier.info.labels


def test_a_chunk_of_long_texts_is_worked_on_in_slices(redis: Redis, classifier: Classifier) -> None:
    chunk = OneChunk(redis, classifier, [Row(number, "가" * 1_000) for number in range(2 * SLICE_CHARS // 1_000)])
    chunk.do()
    assert len(chunk.outcomes) == 2 * SLICE_CHARS // 1_000
    assert not any(isinstance(outcome, Failure) for outcome in chunk.outcomes)


def test_the_next_texts_of_a_chunk_wait_for_the_model_while_it_reads_the_last_ones(
    redis: Redis, echo_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.bulk.chunks.SLICE_CHARS", 1)
    HeldEngine.hold()
    # A text is as long as a pass.
    held = build_classifier(Settings(model=str(echo_bundle), model_threads=1, max_batch_tokens=16), HeldEngine)
    texts = ["가가가가가", "나나나나나", "다다다다다", "라라라라라"]
    chunk = OneChunk(redis, held, [Row(number, text) for number, text in enumerate(texts)])
    doing = threading.Thread(target=chunk.do)
    doing.start()
    try:
        assert HeldEngine.entered.wait(10)
        wait_until(lambda: held.batcher.waiting_texts > 0, "the second text at the model")
        # The others are not tokenised before their turn, however many they are.
        assert held.batcher.waiting_texts == 1
    finally:
        HeldEngine.may_go.set()
        doing.join()
        held.batcher.close()

    assert [outcome.scores for outcome in chunk.outcomes if isinstance(outcome, Verdict)] == list(
        map(echo_scores, texts)
    )


def test_a_chunk_that_killed_too_many_workers_is_halved(redis: Redis, classifier: Classifier) -> None:
    chunk = OneChunk(redis, classifier, [Row(number, f"글 {number}") for number in range(8)])
    chunk.do(attempt=4)
    halves = [chunk.lease() for _ in range(2)]
    # Each has one try left before it is halved again.
    assert [(half.first_row, half.attempt) for half in halves] == [(0, 3), (4, 3)]


def test_a_single_row_that_still_kills_workers_is_named(redis: Redis, classifier: Classifier) -> None:
    chunk = OneChunk(redis, classifier, [Row(1, "글")])
    chunk.do(attempt=4)
    (outcome,) = chunk.outcomes
    assert isinstance(outcome, Failure)
    assert (outcome.code, "3 attempts" in outcome.message) == ("prediction_failed", True)


def test_a_worker_that_is_stopping_gives_the_chunk_back(redis: Redis, classifier: Classifier) -> None:
    chunk = OneChunk(redis, classifier, [Row(1, "가")])
    chunk.do(stopping=True)
    assert chunk.lease().attempt == 1
