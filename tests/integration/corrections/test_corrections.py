"""Corrections through real processes: what was put right is answered so, everywhere, until it is withdrawn."""

import contextlib
import csv
import io
import json
from typing import Any

import httpx
import pytest

from tests.support.corrections import correct
from tests.support.echo import LABELS
from tests.support.stack import Stack, wait_until

pytestmark = pytest.mark.integration


def test_a_correction_is_shown_as_it_was_sent(client: httpx.Client) -> None:
    response = client.post("/corrections", json={"text": "뿡뿡이", "classification": "insult", "note": "우리 판의 욕"})
    made = response.json()

    assert response.status_code == 201
    assert response.headers["location"] == f"/corrections/{made['id']}"
    shown = {name: made[name] for name in ("object", "text", "classification", "policy", "note", "created_by")}
    assert shown == {
        "object": "correction",
        "text": "뿡뿡이",
        "classification": "insult",
        "policy": None,
        "note": "우리 판의 욕",
        "created_by": "everybody",
    }
    assert client.get(f"/corrections/{made['id']}").json() == made


def test_the_same_text_again_replaces_the_first(client: httpx.Client) -> None:
    first = correct(client, "뿡뿡이", "insult")
    response = client.post("/corrections", json={"text": "뿡뿡이", "classification": "clean"})
    assert response.status_code == 200
    assert response.json()["id"] == first["id"]
    assert [one["classification"] for one in client.get("/corrections").json()["data"]] == ["clean"]


@pytest.mark.parametrize(
    ("fields", "param", "words"),
    [
        ({"classification": "clean"}, "text", "text is missing"),
        ({"text": "  ", "classification": "clean"}, "text", "empty or blank"),
        ({"text": "가" * 201, "classification": "clean"}, "text", "MAX_TEXT_CHARS"),
        ({"text": "가", "classification": "nice"}, "classification", "one of clean, curse, insult, hate; not 'nice'"),
        ({"text": "가"}, "classification", "one of clean, curse, insult, hate"),
        ({"text": "가", "classification": "clean", "policy": "board1"}, "policy", "there is no policy 'board1'"),
        ({"text": "가", "classification": "clean", "policy": 1}, "policy", "the name of a policy"),
        ({"text": "가", "classification": "clean", "note": "가" * 1_001}, "note", "at most 1,000 characters"),
        ({"text": "가", "classification": "clean", "reason": ""}, "reason", "there is no field 'reason'"),
        ({"corrections": []}, "corrections", "at least one"),
        ({"corrections": [{"text": "가", "classification": "x"}]}, "corrections[0].classification", "must be one of"),
    ],
)
def test_what_is_no_correction_is_refused_by_its_field(
    client: httpx.Client, fields: dict[str, Any], param: str, words: str
) -> None:
    response = client.post("/corrections", json=fields)
    assert response.status_code == 422
    error = response.json()["error"]
    assert error["param"] == param
    assert words in error["message"]


def test_of_several_a_bad_one_stops_no_other(client: httpx.Client) -> None:
    sent = [{"text": "가나", "classification": "hate"}, 7, {"text": "", "classification": "hate"},
            {"text": "다라", "classification": "clean"}]  # fmt: skip
    response = client.post("/corrections", json={"corrections": sent})
    results = response.json()["results"]

    assert response.status_code == 200
    assert [one.get("text") for one in results] == ["가나", None, None, "다라"]
    assert [one["error"]["param"] for one in results if "error" in one] == ["corrections[1]", "corrections[2].text"]
    assert len(client.get("/corrections").json()["data"]) == 2


def test_there_is_no_room_beyond_max_corrections(client: httpx.Client) -> None:
    sent = [{"text": f"글 {number}", "classification": "hate"} for number in range(60)]
    results = client.post("/corrections", json={"corrections": sent}).json()["results"]
    assert ["error" in one for one in results] == [False] * 50 + [True] * 10
    assert "MAX_CORRECTIONS" in results[-1]["error"]["message"]
    refused = client.post("/corrections", json={"text": "하나 더", "classification": "hate"})
    assert refused.status_code == 413


def test_pages_follow_a_cursor(client: httpx.Client) -> None:
    made = [correct(client, f"글 {number}")["id"] for number in range(5)]
    first = client.get("/corrections", params={"limit": 2}).json()
    second = client.get("/corrections", params={"limit": 10, "after": first["last_id"]}).json()

    assert [one["id"] for one in first["data"] + second["data"]] == made[::-1]
    assert (first["has_more"], second["has_more"]) == (True, False)
    gone = client.get("/corrections", params={"after": "cor_999999"})
    assert (gone.status_code, gone.json()["error"]["param"]) == (404, "after")


def test_all_come_as_a_file_that_excel_opens(client: httpx.Client) -> None:
    correct(client, "=1+1,\n줄", "insult", note="-메모")
    correct(client, "뿡뿡이", "hate")

    response = client.get("/corrections", params={"format": "csv"})
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"), newline="")))
    assert [(row["text"], row["classification"], row["policy"], row["note"]) for row in rows] == [
        ("=1+1,\n줄", "insult", "", "-메모"),
        ("뿡뿡이", "hate", "", ""),
    ]
    safe = client.get("/corrections", params={"format": "csv", "safe": "true"}).text
    assert "'=1+1" in safe
    assert "'-메모" in safe
    lines = client.get("/corrections", params={"format": "jsonl"}).text.splitlines()
    assert [json.loads(line)["text"] for line in lines] == ["=1+1,\n줄", "뿡뿡이"]


@pytest.mark.parametrize("wrong", ["cor_1x", "cor_999999", "job_1", "cor_" + "9" * 40])
def test_what_is_not_there_is_404(client: httpx.Client, wrong: str) -> None:
    for answer in (client.get(f"/corrections/{wrong}"), client.delete(f"/corrections/{wrong}")):
        assert answer.status_code == 404
        assert answer.json()["error"]["param"] == "correction_id"


def answer_to(client: httpx.Client, text: str) -> dict[str, Any]:
    answer: dict[str, Any] = client.post("/predict", json={"text": text}).json()
    return answer


def is_corrected(client: httpx.Client, text: str) -> bool:
    return bool(answer_to(client, text).get("corrected"))


def test_a_corrected_text_is_answered_so_in_any_disguise_until_it_is_withdrawn(client: httpx.Client) -> None:
    text = "너 진짜 뿡뿡이 같아"
    before = answer_to(client, text)
    made = correct(client, text, "insult")
    wait_until(lambda: is_corrected(client, text), "the corrected answer")

    for same in (text, "너진짜 뿡.뿡.이 같아!!", "너 진짜 ㅃㅜㅇ뿡이 같아"):
        assert answer_to(client, same) == {
            "text": same,
            "classification": "insult",
            "confidence": 1.0,
            "scores": {"insult": 1.0, "clean": 0.0, "curse": 0.0, "hate": 0.0},
            "labels": ["insult"],
            "windows": 1,
            "corrected": True,
        }
    assert "corrected" not in answer_to(client, "너 진짜 뿡뿡이 같지 않아")
    client.delete(f"/corrections/{made['id']}")
    wait_until(lambda: answer_to(client, text) == before, "the model's own answer")


def test_a_correction_of_a_policy_holds_under_it_alone_and_may_use_its_own_labels(client: httpx.Client) -> None:
    rules = {"deny": [{"term": "광고", "label": "spam"}]}
    assert client.put("/policies/board1", json=rules).status_code == 201
    correct(client, "여기로 오세요", "spam", policy="board1")
    elsewhere = client.post("/corrections", json={"text": "여기로 오세요", "classification": "spam"})
    assert "one of clean, curse, insult, hate; not 'spam'" in elsewhere.json()["error"]["message"]

    def ruled() -> dict[str, Any]:
        answer: dict[str, Any] = client.post("/predict", json={"text": "여기로, 오세요!", "policy": "board1"}).json()
        return answer

    wait_until(lambda: bool(ruled().get("corrected")), "the corrected answer under the policy")
    assert (ruled()["classification"], ruled()["labels"], ruled()["matches"]) == ("spam", ["spam"], [])
    assert not is_corrected(client, "여기로 오세요")
    client.delete("/policies/board1")


def test_rows_of_a_job_are_answered_as_corrected_and_say_so(client: httpx.Client) -> None:
    correct(client, "뿡뿡이", "insult")
    wait_until(lambda: is_corrected(client, "뿡뿡이"), "the corrected answer")
    sent = {"items": [{"id": number, "text": text} for number, text in enumerate(["뿡.뿡.이", "다른 글", "뿡뿡이!"])]}
    job = client.post("/jobs", json=sent).json()
    assert client.get(f"/jobs/{job['id']}", params={"wait": 30}).json()["status"] == "completed"

    lines = client.get(f"/jobs/{job['id']}/results", params={"format": "jsonl"}).text.splitlines()
    rows = [json.loads(line) for line in lines]
    assert [(row["classification"], row.get("corrected")) for row in rows[::2]] == [("insult", True)] * 2
    assert "corrected" not in rows[1]
    table = client.get(f"/jobs/{job['id']}/results", params={"format": "csv"}).content.decode("utf-8-sig")
    assert [row["corrected"] for row in csv.DictReader(io.StringIO(table))] == ["true", "", "true"]


def said(client: httpx.Client, other: httpx.Client, text: str) -> set[str]:
    """What either API answers, asked so often that each worker has its turn."""
    return {answer_to(one, text)["classification"] for _ in range(10) for one in (client, other)}


def test_what_one_api_took_the_other_one_and_both_workers_answer(stack: Stack, client: httpx.Client) -> None:
    model = answer_to(client, "뿡뿡이")["classification"]
    right = next(label for label in LABELS if label != model)
    stack.add_worker()
    with httpx.Client(base_url=stack.add_api(), timeout=60) as other:
        wait_until(lambda: other.get("/ready").json().get("workers") == 2, "a second API that knows two workers")
        made = correct(other, "뿡뿡이", right)
        wait_until(lambda: said(client, other, "뿡뿡이") == {right}, "one answer of all")
        other.delete(f"/corrections/{made['id']}")
        wait_until(lambda: said(client, other, "뿡뿡이") == {model}, "the model's answer of all")


def test_a_killed_store_still_has_them_and_a_worker_that_was_away_catches_up(
    stack: Stack, client: httpx.Client
) -> None:
    first = correct(client, "뿡뿡이", "insult")
    away, stays = stack.workers[0], stack.add_worker()
    stack.wait_ready(len(stack.workers))
    away.kill()
    stack.store.kill()
    stack.start_store()
    wait_until(lambda: is_up(client, "/ready"), "the way back to the store")
    correct(client, "뽕뽕이", "hate")
    assert client.get(f"/corrections/{first['id']}").json() == first
    away.start()
    for worker in {*stack.workers, stays} - {away}:
        worker.kill()
    both = ("뿡.뿡.이", "뽕뽕이")
    wait_until(lambda: all(is_corrected(client, text) for text in both), "the answers of the worker that was away")


def is_up(client: httpx.Client, path: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return client.get(path).status_code == 200
    return False
