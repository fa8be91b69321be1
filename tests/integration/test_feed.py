"""The live feed through the real service: what is kept, for whom, how much and how long, and a queue made of it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.stack import Stack, running_stack, wait_until

pytestmark = pytest.mark.integration

ONE, OTHER = "the-key-of-one", "the-key-of-another"
MOST = 20


@pytest.fixture(scope="module")
def fed(echo_bundle: Path) -> Iterator[Stack]:
    """A service with two keys and a feed of a few texts."""
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as folder,
        running_stack(Path(folder), echo_bundle, api_keys=f"{ONE},{OTHER}", review_feed_texts=MOST) as running,
    ):
        yield running


@pytest.fixture
def client(fed: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=fed.url, headers={"Authorization": f"Bearer {ONE}"}, timeout=60) as client:
        yield client
        for review in client.get("/reviews").json()["data"]:
            client.delete(f"/reviews/{review['id']}")
        client.delete("/feed")


def send(client: httpx.Client, texts: list[str], headers: dict[str, str] | None = None, **more: Any) -> None:
    assert client.post("/predict", json={"texts": texts, **more}, headers=headers).status_code == 200


def kept(client: httpx.Client, **query: Any) -> list[str]:
    return [one["text"] for one in client.get("/feed", params=query).json()["data"]]


def test_nothing_is_kept_unless_the_settings_say_so(stack: Stack) -> None:
    with httpx.Client(base_url=stack.url, timeout=60) as client:
        send(client, ["보관하지 않는 글"])
        page = client.get("/feed").json()

        assert (page["enabled"], page["data"]) == (False, [])
        assert client.post("/reviews", json={"feed": True}).json()["error"]["code"] == "feed_is_off"
    with stack.redis() as redis:
        assert not list(redis.scan_iter("kobert:feed:*"))


def test_the_last_texts_are_kept_for_their_own_key_alone_and_in_no_log(fed: Stack, client: httpx.Client) -> None:
    texts = [f"들어온 글 {number}" for number in range(MOST + 10)]
    send(client, texts)
    send(client, ["남기지 말 글"], headers={"X-Review-Feed": "off"})
    wait_until(lambda: len(kept(client, limit=100)) == MOST, "the feed")

    assert kept(client, limit=100) == texts[: -MOST - 1 : -1]
    page = client.get("/feed", params={"limit": 5}).json()
    assert page["has_more"]
    assert kept(client, limit=5, before=page["data"][-1]["number"]) == texts[-6:-11:-1]
    assert client.get("/feed", headers={"Authorization": f"Bearer {OTHER}"}).json()["data"] == []
    assert "들어온 글" not in fed.logs()
    with fed.redis() as redis:
        names = list(redis.scan_iter("kobert:feed:*"))
        assert len(names) == MOST + 2
        assert all(0 < redis.ttl(name) <= 86_400 for name in names)
    assert client.delete("/feed").json()["deleted"] == MOST
    assert kept(client) == []


def test_a_plain_request_is_answered_directly_and_its_text_is_kept(fed: Stack, client: httpx.Client) -> None:
    answer = client.post("/predict", json={"text": "곧바로 답한 글"})
    client.post("/predict", json={"text": "남기지 말 글"}, headers={"X-Review-Feed": "off"})
    wait_until(lambda: kept(client) != [], "the feed")

    # The connection puts the id before the framework's own headers, and the framework behind.
    names = list(answer.headers)
    assert names.index("x-request-id") < names.index("content-length")
    assert kept(client) == ["곧바로 답한 글"]
    with fed.redis() as redis:
        assert [redis.zcard(name) for name in redis.scan_iter("kobert:feed:*") if redis.type(name) == b"zset"] == [1]


def test_the_texts_in_which_an_entry_fired_can_be_read(client: httpx.Client) -> None:
    client.put("/policies/fed", json={"deny": ["두루미", "기러기"]})
    send(client, ["두루미 한 마리", "기러기 한 마리", "참새"], policy="fed")
    send(client, ["두루미는 규칙 없이"])
    wait_until(lambda: len(kept(client)) == 4, "the feed")

    assert kept(client, policy="fed", list="deny", term="두루미") == ["두루미 한 마리"]
    assert kept(client, policy="fed", list="allow", term="두루미") == []
    assert len(kept(client, policy="fed")) == 3
    client.delete("/policies/fed")


def test_a_queue_of_the_feed_grows_and_gives_no_text_to_two(client: httpx.Client) -> None:
    send(client, [f"먼저 온 글 {number}" for number in range(6)])
    wait_until(lambda: len(kept(client)) == 6, "the feed")
    review = client.post("/reviews", json={"feed": True}).json()
    assert (review["source"], review["job_id"], review["total"], review["open"]) == ("feed", None, 6, 6)
    path = f"/reviews/{review['id']}"

    def lease(who: str, count: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = client.post(f"{path}/lease", json={"reviewer": who, "count": count}).json()[
            "data"
        ]
        return found

    first = lease("가람", 4)
    doubts = [min(abs(one["scores"][label] - 0.5) for label in one["scores"] if label != "clean") for one in first]
    assert doubts == sorted(doubts)
    send(client, ["나중에 온 글"])
    wait_until(lambda: client.get(path).json()["total"] == 7, "the new text")
    second = lease("나래", 10)
    assert not {one["item"] for one in first} & {one["item"] for one in second}
    assert len(first) + len(second) == 7
    item = next(one for one in first if one["classification"] != "clean")
    decision = {"reviewer": "가람", "decisions": [{"item": item["item"], "decision": "approve"}]}
    (kept_decision,) = client.post(f"{path}/decisions", json=decision).json()["results"]
    assert client.get(f"/corrections/{kept_decision['correction_id']}").json()["text"] == item["text"]
    (line,) = client.get(f"{path}/decisions").text.splitlines()
    assert item["text"] in line
    assert client.get(path).json()["reviewers"] == {"가람": 1}
    assert client.get(path, headers={"Authorization": f"Bearer {OTHER}"}).status_code == 404
    client.post(f"{path}/undo", json={"reviewer": "가람", "item": item["item"]})
    assert client.get(f"/corrections/{kept_decision['correction_id']}").status_code == 404


def test_a_text_is_forgotten_in_time_with_what_was_decided_of_it(echo_bundle: Path) -> None:
    settings = {"review_feed_texts": 100, "review_feed_ttl_s": 10, "max_review_items": 3}
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as folder,
        running_stack(Path(folder), echo_bundle, **settings) as stack,
        httpx.Client(base_url=stack.url, timeout=60) as client,
    ):
        send(client, [f"잊힐 글 {number}" for number in range(5)])
        wait_until(lambda: len(kept(client)) == 5, "the feed")
        review = client.post("/reviews", json={"feed": True}).json()
        assert (review["open"], review["left_out"]) == (3, 2)
        path = f"/reviews/{review['id']}"
        (item,) = client.post(f"{path}/lease", json={"reviewer": "가", "count": 1}).json()["data"]
        decisions = [{"item": item["item"], "decision": "approve"}]
        client.post(f"{path}/decisions", json={"reviewer": "가", "decisions": decisions})
        assert client.get(path).json()["approved"] == 1

        def is_forgotten() -> bool:
            now = client.get(path).json()
            return (now["total"], now["open"], now["approved"]) == (0, 0, 0)

        wait_until(is_forgotten, "the end of the texts")
        assert client.get(f"{path}/decisions").text == ""
        with stack.redis() as redis:
            wait_until(lambda: not list(redis.scan_iter("kobert:feed:*")), "the end of what is kept of the feed")
            left = list(redis.scan_iter("kobert:review*"))
            assert all(redis.ttl(name) > 0 for name in left)
            assert not [name for name in left if b"item:" in name]
