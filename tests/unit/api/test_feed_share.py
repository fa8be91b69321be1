"""How much of the store a key's live feed takes, and the review queues that are made of it, in a real Valkey."""

import time
from collections import Counter
from typing import Any

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from api.access.keyring import Keyring
from api.feed.store import FeedStore
from api.feed.writer import TEXT_BYTES, FeedWriter
from api.jobs.capacity import StoreRoom
from api.jobs.results import Selection
from api.queue.judging import Item
from api.reviews.feeding import FeedIntake
from api.reviews.records import ReviewHead, ReviewItem, new_review_id
from api.reviews.store import FED_ITEM_BYTES, ITEM_BYTES, QUEUE_BYTES, UNFINISHED_S, ReviewStore
from shared import keys
from shared.errors import OverloadedError, RateLimitedError
from shared.lua_script import run_script
from shared.usage.scripts import source_of
from shared.verdict import Verdict

pytestmark = pytest.mark.integration

VERDICT = Verdict("clean", 0.9, {"clean": 0.9}, ["clean"])
TTL_S = 1_000


def taken(redis: Redis, owner: str = "a") -> int:
    return int(redis.hget(keys.USAGE + owner, "") or 0)


class Feeding:
    """Writes texts to the feed of two keys, into a store of which `free` bytes are free (None: no limit)."""

    def __init__(self, url: str) -> None:
        self.free: int | None = None
        self.most = 100
        self._url = url

    async def _look(self) -> StoreRoom | None:
        if self.free is not None and self.free < 0:
            raise OverloadedError("the store is nearly full", retry_after_s=1)
        return None if self.free is None else StoreRoom(self.free, Counter())

    async def send(self, *texts: str, owner: str = "a") -> None:
        async with AsyncRedis.from_url(self._url) as redis:
            writer = FeedWriter(redis, (self.most, TTL_S), self._look, Keyring(["one", "two"]))
            writer.note(owner, [Item(text, "text") for text in texts], [VERDICT] * len(texts))
            await writer.close()


@pytest.fixture
def feeding(url: str) -> Feeding:
    return Feeding(url)


def texts_of(redis: Redis, owner: str = "a") -> list[str]:
    return [entry.fed.text for entry in FeedStore(redis).before(owner, None)]


def numbers_of(redis: Redis, owner: str = "a") -> list[str]:
    """The numbers of the texts in a feed, the oldest first."""
    found: list[bytes] = redis.zrange(keys.feed_of(owner), 0, -1)  # type: ignore[assignment]
    return [number.decode() for number in found]


def stored(redis: Redis, owner: str = "a") -> int:
    """What the texts that are there should be counted with."""
    return sum(int(redis.strlen(keys.feed_text(owner, number))) + TEXT_BYTES for number in numbers_of(redis, owner))


async def test_a_feed_counts_as_long_as_its_texts_are_kept(redis: Redis, feeding: Feeding) -> None:
    feeding.most = 3
    await feeding.send("하나", "둘")
    assert taken(redis) == stored(redis) > 2 * TEXT_BYTES
    await feeding.send("셋", "넷", "다섯")
    assert texts_of(redis) == ["다섯", "넷", "셋"]
    assert taken(redis) == stored(redis)
    assert redis.hlen(keys.feed_sizes("a")) == 3

    # Two of them came longer ago than texts are kept.
    for number in numbers_of(redis)[:2]:
        redis.zadd(keys.feed_of("a"), {number: 1})
    await feeding.send("여섯")
    assert texts_of(redis) == ["여섯", "다섯"]
    assert taken(redis) == stored(redis)

    FeedStore(redis).remove("a")
    assert not list(redis.scan_iter("kobert:*"))


async def test_without_room_the_newest_texts_take_the_place_of_the_oldest(redis: Redis, feeding: Feeding) -> None:
    await feeding.send(*(f"글 {number}" for number in range(5)))
    before = taken(redis)
    for free in (before, -1):
        feeding.free = free
        await feeding.send(f"새 글 {free:07}")
    assert texts_of(redis)[:2] == ["새 글 -000001", f"새 글 {before:07}"]
    assert taken(redis) == stored(redis) <= before
    feeding.free = 10 * before
    await feeding.send("또")
    assert taken(redis) == stored(redis)
    assert len(texts_of(redis)) >= 3

    # A key without anything is not kept out by those who fill the store, unless that is nearly full.
    feeding.free = 10
    await feeding.send("다른 키의 글", owner="b")
    assert texts_of(redis, "b") == ["다른 키의 글"]
    feeding.free = -1
    await feeding.send("셋째 키의 글", owner="c")
    assert texts_of(redis, "c") == []
    assert not redis.exists(keys.USAGE + "c")


def new_queue(*, is_fed: bool) -> ReviewHead:
    now = int(time.time())
    return ReviewHead(
        id=new_review_id(), job_id=None, file_name=None, order="file", policy=None, total=0, left_out=0, created_at=now,
        expires_at=now + TTL_S, feed=Selection() if is_fed else None,
    )  # fmt: skip


def items(count: int) -> list[ReviewItem]:
    return [
        ReviewItem(item=number, row=number, text="글", classification="clean", confidence=0.9, labels=[], scores={})
        for number in range(count)
    ]


class OwnerRoom:
    """Whether an owner may store more."""

    is_free = True

    def require(self, _: str) -> None:
        if not self.is_free:
            raise RateLimitedError("there is no room", retry_after_s=1)


async def test_a_queue_of_the_feed_counts_what_it_has_and_waits_for_room(redis: Redis, feeding: Feeding) -> None:
    store, room = ReviewStore(redis), OwnerRoom()
    intake = FeedIntake(store, FeedStore(redis), TTL_S, 3, room.require)
    head = new_queue(is_fed=True)
    assert store.add("a", head, [], 5)
    await feeding.send("하나", "둘")
    of_feed = stored(redis)

    def of_queue() -> int:
        sizes = redis.hvals(f"{keys.review_part('a', head.id, '')}sizes")
        return QUEUE_BYTES + sum(map(int, sizes))

    assert intake.refresh("a", head).total == 2
    assert taken(redis) == of_feed + of_queue()
    assert of_queue() > QUEUE_BYTES + 2 * FED_ITEM_BYTES

    room.is_free = False
    await feeding.send("셋", "넷")
    assert intake.refresh("a", head).total == 2
    room.is_free = True
    # One more than it may have open is dropped again, and is not counted.
    assert intake.refresh("a", head).left_out == 1
    assert len(redis.hvals(f"{keys.review_part('a', head.id, '')}sizes")) == 3
    assert taken(redis) == stored(redis) + of_queue()

    # What is over its time goes, and the count lives as long as the queue.
    first = int(numbers_of(redis)[0])
    assert store.top_up("a", head, (store.feed_state("a", head.id)[0], 10**16), [], (first + 1, 3))
    assert taken(redis) == stored(redis) + of_queue()
    later = ReviewHead(**{name: getattr(head, name) for name in head.__struct_fields__} | {"expires_at": 4_000_000_000})
    assert store.top_up("a", later, (10**16, 10**16), [], (0, 3))
    assert redis.expiretime(keys.USAGE + "a") == 4_000_000_000
    FeedStore(redis).remove("a")
    store.remove("a", head.id)
    assert not redis.exists(keys.USAGE + "a", keys.USAGE_ENDS + "a")


def test_a_queue_is_counted_in_the_step_that_lists_it(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was killed between the two left a queue that nobody counted."""
    store, head, list_queue = ReviewStore(redis), new_queue(is_fed=False), Redis.transaction

    def list_and_die(*args: Any) -> None:
        list_queue(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(Redis, "transaction", list_and_die)
    with pytest.raises(KeyboardInterrupt):
        store.add("a", head, items(3), 5)
    assert [one.id for one in store.heads("a")] == [head.id]
    assert taken(redis) > QUEUE_BYTES + 3 * ITEM_BYTES
    store.remove("a", head.id)
    assert taken(redis) == 0


def test_items_of_a_queue_that_is_not_listed_end_soon(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    head = new_queue(is_fed=False)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(ReviewStore, "_list", die)
        with pytest.raises(KeyboardInterrupt):
            ReviewStore(redis).add("a", head, items(3), 5)
    left = list(redis.scan_iter("kobert:review:*"))
    assert len(left) == 2
    assert all(0 < redis.ttl(name) <= UNFINISHED_S for name in left)

    assert ReviewStore(redis).add("a", head, items(3), 5)
    assert all(redis.ttl(name) > UNFINISHED_S for name in redis.scan_iter("kobert:review:*"))
    assert run_script(redis, source_of("share"), [], ["a", 0, 1, "", "a"])[0] > QUEUE_BYTES
