"""Review queues through the real service: who gets what, what a decision does, what others see."""

import csv
import io
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from shared import keys
from tests.support.jobs import finish, submit_texts
from tests.support.stack import Stack

pytestmark = pytest.mark.integration


@pytest.fixture
def review(stack: Stack) -> Iterator[dict[str, Any]]:
    """A queue of 30 rows."""
    job = finish(stack, submit_texts(stack, [f"검토할 글 {number}" for number in range(30)]))
    answer = httpx.post(f"{stack.url}/reviews", json={"job_id": job["id"]})
    assert answer.status_code == 201, answer.text
    yield answer.json()
    httpx.delete(f"{stack.url}/reviews/{answer.json()['id']}")


def post(stack: Stack, review: dict[str, Any], what: str, **body: object) -> httpx.Response:
    return httpx.post(f"{stack.url}/reviews/{review['id']}/{what}", json=body, timeout=30)


def lease(stack: Stack, review: dict[str, Any], reviewer: str, count: int) -> list[dict[str, Any]]:
    return post(stack, review, "lease", reviewer=reviewer, count=count).json()["data"]


def decide(
    stack: Stack, review: dict[str, Any], reviewer: str, item: int, decision: str, **more: str
) -> dict[str, Any]:
    decisions = [{"item": item, "decision": decision, **more}]
    return post(stack, review, "decisions", reviewer=reviewer, decisions=decisions).json()["results"][0]


def test_the_least_certain_rows_come_first(stack: Stack, review: dict[str, Any]) -> None:
    def doubt(item: dict[str, Any]) -> float:
        return min(abs(score - 0.5) for label, score in item["scores"].items() if label != "clean")

    doubts = [doubt(item) for item in lease(stack, review, "가", 30)]
    assert doubts == sorted(doubts)
    assert len(doubts) == review["total"] == 30


def test_two_moderators_never_hold_the_same_row(stack: Stack, review: dict[str, Any]) -> None:
    first = {item["item"] for item in lease(stack, review, "가", 12)}
    second = {item["item"] for item in lease(stack, review, "나", 50)}

    assert (len(first), len(second), first & second) == (12, 18, set())
    assert {item["item"] for item in lease(stack, review, "가", 12)} == first
    other = next(iter(second))
    assert decide(stack, review, "가", other, "approve")["error"]["code"] == "item_held"
    now = httpx.get(f"{stack.url}/reviews/{review['id']}").json()
    assert (now["open"], now["held"]) == (0, 30)


def test_a_decision_is_kept_once_counted_and_exported(stack: Stack, review: dict[str, Any]) -> None:
    item, other, *_ = lease(stack, review, "가", 5)
    assert decide(stack, review, "가", item["item"], "approve")["decision"] == "approve"
    assert decide(stack, review, "가", other["item"], "reject", classification="insult")["decision"] == "reject"

    assert decide(stack, review, "나", item["item"], "reject")["error"]["code"] == "item_decided"
    now = httpx.get(f"{stack.url}/reviews/{review['id']}").json()
    assert (now["approved"], now["rejected"], now["decided_today"], now["reviewers"]) == (1, 1, 2, {"가": 2})
    exported = httpx.get(f"{stack.url}/reviews/{review['id']}/decisions?format=csv").content
    rows = list(csv.DictReader(io.StringIO(exported.decode("utf-8-sig"))))
    assert [(row["text"], row["decision"], row["should_be"]) for row in rows] == sorted(
        [(item["text"], "approve", ""), (other["text"], "reject", "insult")],
        key=lambda row: [one["text"] for one in (item, other)].index(row[0]),
    )


def decisions_key(review: dict[str, Any]) -> str:
    return keys.review_part("everybody", review["id"], "decisions")


def shown(stack: Stack, review: dict[str, Any]) -> dict[str, Any]:
    listed = httpx.get(f"{stack.url}/reviews").json()["data"]
    return next(one for one in listed if one["id"] == review["id"])


def test_the_list_of_queues_reads_no_decision(stack: Stack, review: dict[str, Any]) -> None:
    """Fifty queues of five thousand decisions each would cost every look at the list a second."""
    for item in lease(stack, review, "가", 3):
        decide(stack, review, "가", item["item"], "approve")
    with stack.redis() as redis:
        for number in redis.hkeys(decisions_key(review)):
            redis.hset(decisions_key(review), number, b"nobody can read this")

    now = shown(stack, review)
    assert (now["approved"], now["rejected"], now["decided_today"], now["reviewers"]) == (3, 0, 3, {"가": 3})


def test_a_decision_taken_back_is_not_counted(stack: Stack, review: dict[str, Any]) -> None:
    first, second = lease(stack, review, "가", 2)
    decide(stack, review, "가", first["item"], "approve")
    decide(stack, review, "가", second["item"], "reject")
    post(stack, review, "undo", reviewer="가", item=second["item"])

    now = shown(stack, review)
    assert (now["approved"], now["rejected"], now["decided_today"], now["reviewers"]) == (1, 0, 1, {"가": 1})


def test_decisions_that_an_earlier_program_kept_are_counted(stack: Stack, review: dict[str, Any]) -> None:
    first, second, third = lease(stack, review, "가", 3)
    decide(stack, review, "가", first["item"], "approve")
    decide(stack, review, "가", second["item"], "reject")
    with stack.redis() as redis:
        redis.delete(*(keys.review_part("everybody", review["id"], part) for part in ("tally", "names")))
        decide(stack, review, "나", third["item"], "approve")
        decide(stack, review, "가", third["item"], "approve")

        now = shown(stack, review)
        assert (now["approved"], now["rejected"], now["decided_today"], now["reviewers"]) == (2, 1, 3, {"가": 3})
        assert redis.ttl(keys.review_part("everybody", review["id"], "tally")) > 0


def test_reviewers_beyond_a_hundred_are_counted_together(stack: Stack) -> None:
    job = finish(stack, submit_texts(stack, [f"많은 검토자 {number}" for number in range(103)]))
    review = httpx.post(f"{stack.url}/reviews", json={"job_id": job["id"]}).json()
    for item in [lease(stack, review, f"검토자 {number}", 1)[0] for number in range(103)]:
        decide(stack, review, f"검토자 {item['item'] - 1}", item["item"], "approve")

    now = shown(stack, review)
    httpx.delete(f"{stack.url}/reviews/{review['id']}")
    assert (len(now["reviewers"]), now["reviewers"]["(others)"], now["approved"]) == (101, 3, 103)


def test_a_decision_against_the_verdict_becomes_a_correction_until_it_is_undone(
    stack: Stack, review: dict[str, Any]
) -> None:
    item = next(one for one in lease(stack, review, "가", 30) if one["classification"] != "clean")
    kept = decide(stack, review, "가", item["item"], "approve")
    correction = httpx.get(f"{stack.url}/corrections/{kept['correction_id']}").json()
    assert (correction["text"], correction["classification"]) == (item["text"], "clean")

    back = post(stack, review, "undo", reviewer="가", item=item["item"]).json()

    assert back["item"] == item["item"]
    assert httpx.get(f"{stack.url}/corrections/{kept['correction_id']}").status_code == 404
    again = post(stack, review, "undo", reviewer="가", item=item["item"])
    assert (again.status_code, again.json()["error"]["code"]) == (409, "item_undecided")
    assert decide(stack, review, "가", item["item"], "reject")["decision"] == "reject"


@pytest.mark.parametrize(
    ("what", "body", "status", "param"),
    [
        ("lease", {"reviewer": ""}, 422, "reviewer"),
        ("lease", {"reviewer": "가", "count": 0}, 422, "count"),
        ("decisions", {"reviewer": "가", "decisions": []}, 422, "decisions"),
        ("decisions", {"reviewer": "가", "decisions": [{"item": 1, "decision": "perhaps"}]}, 422, None),
        ("decisions", {"reviewer": "가", "decisions": [{"item": 1, "decision": "reject", "classification": "x"}]}, 422,
         "decisions[0].classification"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_name(
    stack: Stack, review: dict[str, Any], what: str, body: dict[str, Any], status: int, param: str | None
) -> None:
    answer = post(stack, review, what, **body)
    assert answer.status_code == status
    assert param is None or answer.json()["error"]["param"] == param


def test_there_is_nothing_to_review_of_a_job_that_is_unknown_or_has_no_such_row(stack: Stack) -> None:
    assert httpx.post(f"{stack.url}/reviews", json={"job_id": "job_" + "0" * 24}).status_code == 404
    job = finish(stack, submit_texts(stack, ["하나"]))
    answer = httpx.post(f"{stack.url}/reviews", json={"job_id": job["id"], "contains": "둘"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "nothing_to_review")
    assert httpx.get(f"{stack.url}/reviews/review_{'0' * 24}").status_code == 404
    assert httpx.get(f"{stack.url}/reviews/../keys").status_code in {401, 403, 404}


def test_every_key_of_a_queue_expires(stack: Stack, review: dict[str, Any]) -> None:
    item, *_ = lease(stack, review, "가", 3)
    decide(stack, review, "가", item["item"], "approve")
    redis = stack.redis()
    names = [*redis.scan_iter("kobert:review*")]
    assert len(names) >= 6
    assert all(redis.ttl(name) > 0 for name in names)


@pytest.mark.parametrize("what", ["", "/rev_1/lease", "/rev_1/decisions", "/rev_1/undo"])
def test_a_body_of_thousands_of_faults_is_refused_before_each_is_named(stack: Stack, what: str) -> None:
    answer = httpx.post(f"{stack.url}/reviews{what}", json={f"f{number}": 1 for number in range(2_000)})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
