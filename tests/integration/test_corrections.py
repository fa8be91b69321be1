"""Corrections through real processes: what was put right is answered so, everywhere, until it is withdrawn."""

import csv
import io
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.stack import Stack, running_stack

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def stack(echo_bundle: Path) -> Iterator[Stack]:
    settings: dict[str, Any] = {"job_chunk_rows": 20, "job_poll_s": 0.5, "max_corrections": 50, "max_text_chars": 200}
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as folder,
        running_stack(Path(folder), echo_bundle, **settings) as up,
    ):
        yield up


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    """A client of a service without corrections."""
    with httpx.Client(base_url=stack.url) as client:
        yield client
        while found := client.get("/corrections", params={"limit": 100}).json()["data"]:
            for one in found:
                client.delete(f"/corrections/{one['id']}")


def correct(client: httpx.Client, text: str, classification: str = "hate", **fields: Any) -> dict[str, Any]:
    response = client.post("/corrections", json={"text": text, "classification": classification, **fields})
    assert response.status_code in {200, 201}, response.text
    return response.json()


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
        ({"text": "가", "classification": "clean", "policy": 1}, "policy", "the name of a policy, or null"),
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
