"""Review queues in a real store, made by many at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis

from api.reviews.records import ReviewHead, new_review_id
from api.reviews.store import ReviewStore
from shared import keys

pytestmark = pytest.mark.integration

MOST, CALLERS = 3, 16
END = 4_000_000_000


def head() -> ReviewHead:
    return ReviewHead(
        id=new_review_id(),
        job_id=None,
        file_name=None,
        order="file",
        policy=None,
        total=0,
        left_out=0,
        created_at=1,
        expires_at=END,
    )


def test_no_more_queues_are_made_at_once_than_an_owner_may_have(redis: Redis) -> None:
    store = ReviewStore(redis)
    with ThreadPoolExecutor(CALLERS) as pool:
        made = list(pool.map(lambda _: store.add("owner", head(), [], MOST), range(CALLERS)))

    assert sum(made) == MOST
    assert len(store.heads("owner")) == MOST
    assert store.add("another", head(), [], MOST)


def test_a_queue_that_is_gone_makes_room(redis: Redis) -> None:
    store = ReviewStore(redis)
    first = head()
    assert store.add("owner", first, [], 1)
    assert not store.add("owner", head(), [], 1)
    redis.delete(keys.review_part("owner", first.id, ""))

    assert store.add("owner", head(), [], 1)
