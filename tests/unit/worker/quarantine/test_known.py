"""Deadly texts that all workers know: hashes in the store, bounded, keyed, and for a day."""

import time
from collections.abc import Callable

import pytest
from fakeredis import FakeRedis, FakeServer

from shared import keys
from worker.quarantine.child import SuspectText
from worker.quarantine.known import KEPT_S, MAX_KNOWN, DeadlyTexts

DEADLY, HARMLESS = SuspectText("무너지는 글"), SuspectText("멀쩡한 글")
END = "ended by SIGSEGV"


@pytest.fixture
def worker() -> Callable[..., DeadlyTexts]:
    """Makes workers of one store, none of which looks by itself."""
    server = FakeServer()

    def make(model: str = "1") -> DeadlyTexts:
        return DeadlyTexts(FakeRedis(server=server), model)

    return make


def look(texts: DeadlyTexts) -> None:
    texts._look()


def test_what_one_worker_finds_every_worker_knows(worker: Callable[..., DeadlyTexts]) -> None:
    first, second = worker(), worker()
    first.add({DEADLY: END})
    assert not second.are_known
    look(second)

    assert (first.end_of(DEADLY), second.end_of(DEADLY)) == (END, END)
    assert second.end_of(HARMLESS) is None
    assert second.end_of(SuspectText(DEADLY.text, is_explained=True)) is None


def test_another_model_may_read_it(worker: Callable[..., DeadlyTexts]) -> None:
    worker().add({DEADLY: END})
    other = worker("2")
    look(other)
    assert other.end_of(DEADLY) is None


def test_two_services_hash_the_same_text_differently() -> None:
    redis = FakeRedis(), FakeRedis()
    for store in redis:
        DeadlyTexts(store, "1").add({DEADLY: END})
    first, second = (store.zrange(keys.DEADLY_TEXTS, 0, -1) for store in redis)
    assert first != second
    assert DEADLY.text.encode() not in first[0]


def test_the_newest_are_kept_here_and_in_the_store(
    worker: Callable[..., DeadlyTexts], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = worker()
    for number in range(3):
        monkeypatch.setattr(time, "time", lambda number=number: 1000.0 + number)
        texts.add({SuspectText(f"{number} {count}"): END for count in range(MAX_KNOWN // 2)})
    other = worker()
    look(other)

    assert texts._redis.zcard(keys.DEADLY_TEXTS) == MAX_KNOWN
    for each in (texts, other):
        assert [each.end_of(SuspectText(f"{number} 0")) for number in range(3)] == [None, END, END]


def test_a_day_later_it_is_read_again(worker: Callable[..., DeadlyTexts], monkeypatch: pytest.MonkeyPatch) -> None:
    texts = worker()
    texts.add({DEADLY: END})
    assert 0 < texts._redis.ttl(keys.DEADLY_TEXTS) <= KEPT_S
    assert texts._redis.ttl(keys.DEADLY_SECRET) > KEPT_S

    later = time.time() + KEPT_S + 1
    monkeypatch.setattr(time, "time", lambda: later)
    look(texts)
    assert texts.end_of(DEADLY) is None


def test_a_worker_remembers_although_the_store_is_away() -> None:
    server = FakeServer()
    server.connected = False
    texts = DeadlyTexts(FakeRedis(server=server), "1")
    texts.add({DEADLY: END})
    look(texts)
    assert texts.end_of(DEADLY) == END
