"""The follower on a real Valkey: whatever happens to the store, the book ends as the store is."""

from collections.abc import Iterator

import pytest
from redis import Redis

from shared.corrections.records import Correction, NewCorrection
from shared.corrections.store import WITHDRAWN_KEPT, Added, Bounds, CorrectionStore
from tests.support.stack import wait_until
from tests.support.valkey import running_valkey
from worker.corrections.book import CorrectionBook
from worker.corrections.follower import CorrectionFollower

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running_valkey() as url:
        yield url


@pytest.fixture
def redis(server: str) -> Iterator[Redis]:
    with Redis.from_url(server) as client:
        client.flushall()
        yield client


@pytest.fixture
def store(redis: Redis) -> CorrectionStore:
    return CorrectionStore(redis)


@pytest.fixture
def book() -> CorrectionBook:
    return CorrectionBook()


@pytest.fixture
def follower(server: str, book: CorrectionBook) -> CorrectionFollower:
    return CorrectionFollower(server, book, interval_s=0.02)


def add(store: CorrectionStore, *texts: str) -> list[Correction]:
    new = [NewCorrection(text=text, classification="hate") for text in texts]
    return [one.correction for one in store.add(new, Bounds(10_000, 1 << 30)) if isinstance(one, Added)]


def test_changes_are_followed_until_it_is_stopped(
    store: CorrectionStore, book: CorrectionBook, follower: CorrectionFollower
) -> None:
    (first,) = add(store, "하나")
    follower.start()
    try:
        assert book.find("하나") == "hate"
        add(store, "둘")
        wait_until(lambda: book.find("둘") == "hate", "the second correction")
        store.remove(first)
        wait_until(lambda: book.find("하나") is None, "the withdrawal")
    finally:
        follower.stop()


def test_more_changes_than_a_page_are_all_read(
    store: CorrectionStore, book: CorrectionBook, follower: CorrectionFollower
) -> None:
    follower.refresh()
    made = add(store, *(f"글 {number}" for number in range(1_200)))
    for one in made[:100]:
        store.remove(one)
    follower.refresh()
    assert len(book) == 1_100
    assert book.find("글 1199") == "hate"
    assert book.find("글 99") is None


def test_one_that_was_away_for_longer_than_withdrawals_are_kept_reads_all(
    store: CorrectionStore, book: CorrectionBook, follower: CorrectionFollower
) -> None:
    made = add(store, *(f"글 {number}" for number in range(WITHDRAWN_KEPT + 10)))
    follower.refresh()
    for one in made[:-1]:
        store.remove(one)
    follower.refresh()
    assert len(book) == 1
    assert book.find(made[-1].record.text) == "hate"


def test_a_store_that_was_emptied_and_filled_again_is_read_anew(
    store: CorrectionStore, book: CorrectionBook, follower: CorrectionFollower, redis: Redis
) -> None:
    add(store, "하나", "둘")
    follower.refresh()
    redis.flushall()
    follower.refresh()
    assert len(book) == 0
    add(store, "셋", "넷", "다섯")
    follower.refresh()
    assert len(book) == 3


def test_a_store_that_goes_away_leaves_the_book_and_is_read_whole_when_it_is_back(book: CorrectionBook) -> None:
    with running_valkey() as url:
        follower = CorrectionFollower(url, book, interval_s=0.02)
        with Redis.from_url(url) as client:
            store = CorrectionStore(client)
            add(store, "하나")
            follower.start()
            client.client_kill_filter(_type="normal", skipme=True)
            assert book.find("하나") == "hate"
            # As after a lost second: other contents under the same version.
            version = store.position()
            client.flushall()
            add(store, "둘")
            client.hset("kobert:corrections:state", "epoch", version.epoch)
            assert store.position() == version
            wait_until(lambda: book.find("둘") == "hate" and book.find("하나") is None, "the store's own contents")
    follower.stop()
    assert book.find("둘") == "hate"
