"""What the live feed takes of a request, and how much of it may wait."""

from typing import Any

import pytest
from redis.asyncio import Redis

from api.feed import writer as feed_writer
from api.feed.writer import FeedWriter
from api.queue.judging import Item
from shared.errors import TextRejectedError
from shared.verdict import Verdict

VERDICT = Verdict("clean", 0.9, {"clean": 0.9}, ["clean"])


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What is sent to the store: the arguments of each script."""
    sent: list[tuple[Any, ...]] = []

    async def take(_: Redis, _script: str, _keys: int, *arguments: Any) -> None:
        sent.append(arguments)

    monkeypatch.setattr(Redis, "eval", take)
    return sent


def note(writer: FeedWriter, *texts: object) -> None:
    items = [Item(text, "text") for text in texts]
    outcomes = [VERDICT if text else TextRejectedError("blank", code="empty_text", param="text") for text in texts]
    writer.note("owner", items, outcomes)


async def test_texts_with_a_verdict_are_kept_unless_they_are_long(
    written: list[tuple[Any, ...]],
) -> None:
    writer = FeedWriter(Redis(), 100, 60)
    note(writer, "하나", "", "가" * 2_001, "둘")
    await writer.close()

    ((_, most, ttl_s, _, *texts),) = written
    assert (most, ttl_s, len(texts)) == (100, 60, 2)
    assert "하나" in texts[0].decode()


async def test_with_more_than_may_wait_the_newest_stay(
    written: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_writer, "MAX_WAITING", 3)
    writer = FeedWriter(Redis(), 100, 60)
    note(writer, *map(str, range(1, 6)))
    await writer.close()

    ((_, _, _, _, *texts),) = written
    assert [text.split(b'"')[3] for text in texts] == [b"3", b"4", b"5"]
