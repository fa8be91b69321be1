"""What the live feed takes of a request, and how much of it may wait."""

from typing import Any

import pytest
from redis.asyncio import Redis

from api.access.keyring import Keyring
from api.feed import writer as feed_writer
from api.feed.waiting import WaitingTexts
from api.feed.writer import FeedWriter
from api.queue.judging import Item
from shared.errors import TextRejectedError
from shared.verdict import Verdict

# Names and arguments of the script that go before the texts.
BEFORE_TEXTS = 10
VERDICT = Verdict("clean", 0.9, {"clean": 0.9}, ["clean"])


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What is sent to the store: the arguments of each script."""
    sent: list[tuple[Any, ...]] = []

    async def take(_: Redis, _script: str, _keys: int, *arguments: Any) -> None:
        sent.append(arguments)

    monkeypatch.setattr(Redis, "eval", take)
    return sent


async def without_limit() -> None:
    return None


def new_writer() -> FeedWriter:
    return FeedWriter(Redis(), (100, 60), without_limit, Keyring())


def note(writer: FeedWriter, *texts: object) -> None:
    items = [Item(text, "text") for text in texts]
    outcomes = [VERDICT if text else TextRejectedError("blank", code="empty_text", param="text") for text in texts]
    writer.note("owner", items, outcomes)


async def test_texts_with_a_verdict_are_kept_unless_they_are_long(
    written: list[tuple[Any, ...]],
) -> None:
    writer = new_writer()
    note(writer, "하나", "", "가" * 2_001, "둘")
    await writer.close()

    ((_, _, most, ttl_s, *_),) = written
    texts = written[0][BEFORE_TEXTS:]
    assert (most, ttl_s, len(texts)) == (100, 60, 2)
    assert "하나" in texts[0].decode()


async def test_with_more_than_may_wait_the_newest_stay(
    written: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_writer, "MAX_WAITING", 3)
    writer = new_writer()
    note(writer, *map(str, range(1, 6)))
    await writer.close()

    texts = written[0][BEFORE_TEXTS:]
    assert [text.split(b'"')[3] for text in texts] == [b"3", b"4", b"5"]


def test_who_sends_most_loses_the_oldest_where_too_many_wait() -> None:
    waiting = WaitingTexts(10)
    waiting.add("quiet", "조용한 글", VERDICT)
    for number in range(50):
        waiting.add("loud", f"글 {number}", VERDICT)
    waiting.add("late", "늦은 글", VERDICT)
    taken = {owner: [text for text, _ in texts] for owner, texts in waiting.take().items()}
    assert taken == {"quiet": ["조용한 글"], "loud": [f"글 {number}" for number in range(42, 50)], "late": ["늦은 글"]}
    assert not waiting.take()
