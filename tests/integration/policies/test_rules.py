"""What a policy does to a text and to a job: through real processes."""

import os
import signal

import httpx
import pytest

from tests.support.jobs import finish, result_lines
from tests.support.policies import LEVELS, RULES, TEXTS, error_of, predict, put
from tests.support.stack import Stack, wait_until

pytestmark = pytest.mark.integration


def test_a_text_is_judged_by_its_policy_and_the_reply_says_so(stack: Stack) -> None:
    version = put(stack, "board", **RULES).json()["version"]
    turns = {"curse": 0.9, "insult": 0.6}

    results = httpx.post(f"{stack.url}/predict", json={"texts": TEXTS, "policy": "board"}, timeout=60)

    assert results.headers["x-policy"] == f"board@{version}"
    assert results.headers["x-model-revision"] == stack.info()["model"]["revision"]
    for verdict in results.json()["results"]:
        counting = [label for label, turn in turns.items() if verdict["scores"][label] >= turn]
        assert sorted(verdict["labels"]) == sorted(counting or ["clean"])
        assert verdict["policy"] == {"name": "board", "version": version}
        assert verdict["matches"] == []


def test_what_a_request_says_goes_over_what_its_policy_says(stack: Stack) -> None:
    put(stack, "board", **RULES)
    own = {"strictness": "lenient", "thresholds": {"insult": 0.7}}

    body = {"texts": TEXTS, "policy": "board", **own}
    for verdict in httpx.post(f"{stack.url}/predict", json=body, timeout=60).json()["results"]:
        turns = {"curse": 0.9, "insult": 0.7}
        counting = [label for label, turn in turns.items() if verdict["scores"][label] >= turn]
        assert sorted(verdict["labels"]) == sorted(counting or ["clean"])


def test_a_denied_term_counts_and_an_allowed_one_is_not_read(stack: Stack) -> None:
    put(stack, "board", **RULES)

    denied = predict(stack.url, "이 멍청이들아", policy="board").json()
    named = predict(stack.url, "유니섹#스", policy="board").json()
    alone = predict(stack.url, "게이머!", policy="board").json()
    beside = predict(stack.url, "게이머 안녕", policy="board").json()

    assert (denied["classification"], denied["confidence"], denied["labels"][0]) == ("denied", 1.0, "denied")
    assert (denied["scores"]["denied"], denied["scores"]["clean"]) == (1.0, 0.0)
    assert denied["matches"] == [
        {"list": "deny", "term": "멍청이", "label": "denied", "start": 2, "end": 5, "text": "멍청이"}
    ]
    assert (named["classification"], named["matches"][0]["text"]) == ("sexual", "섹#스")
    assert (alone["classification"], alone["matches"][0]["list"]) == ("clean", "allow")
    assert beside["scores"] == predict(stack.url, "    안녕").json()["scores"]


def test_without_a_policy_nothing_of_it_is_in_the_reply(stack: Stack) -> None:
    answer = predict(stack.url, "멍청이")

    assert list(answer.json()) == ["text", "classification", "confidence", "scores", "labels", "windows"]
    assert answer.headers["x-policy"] == "none"


def test_an_unknown_policy_is_refused_by_name(stack: Stack) -> None:
    put(stack, "board", **RULES)
    for name, complaint in (("bord", "there is no policy 'bord'"), (3, "the name of a policy"), ("", "no policy")):
        status, param, message = error_of(predict(stack.url, "글", policy=name))
        assert (status, param) == (422, "policy")
        assert complaint in message


def test_details_say_what_a_verdict_rests_on(stack: Stack) -> None:
    put(stack, "board", **RULES)
    model = stack.info()["model"]

    plain = predict(stack.url, "글", details=True).json()
    ruled = predict(stack.url, "글", details=True, policy="board").json()

    assert plain["details"] == {
        "model": "levelled",
        "revision": model["revision"],
        "policy": None,
        "strictness": "standard",
        "thresholds": LEVELS["standard"],
    }
    assert ruled["details"]["policy"] == ruled["policy"]
    assert ruled["details"]["strictness"] == "strict"
    assert ruled["details"]["thresholds"] == {**LEVELS["strict"], "curse": 0.9}
    assert error_of(predict(stack.url, "글", details="yes"))[:2] == (422, "details")


def test_a_policy_counts_how_often_its_entries_fire(stack: Stack) -> None:
    put(stack, "counted", deny=["바보", "멍청이"], allow=["게이머"])
    for text in ("바보", "바보야 바보", "게이머", "안녕"):
        predict(stack.url, text, policy="counted")

    def hits() -> list[tuple[str, int]]:
        entries = httpx.get(f"{stack.url}/policies/counted/hits").json()["data"]
        return [(entry["term"], entry["hits"]) for entry in entries]

    wait_until(lambda: hits() == [("바보", 2), ("게이머", 1), ("멍청이", 0)], "the hits")
    assert httpx.get(f"{stack.url}/policies/none/hits").status_code == 404


def test_a_job_keeps_the_version_that_it_began_with_and_its_rows_say_what_fired(stack: Stack) -> None:
    version = put(stack, "jobs", deny=["하나"], labels=["curse"]).json()["version"]
    texts = ["하나는 둘", "둘", *TEXTS]
    rows = "".join(f"{text}\n" for text in texts).encode()
    query = {"policy": "jobs", "details": "true", "format": "txt"}
    # While the workers stand still, the policy is replaced and deleted.
    for worker in stack.workers:
        os.kill(worker.pid, signal.SIGSTOP)
    try:
        job = httpx.post(f"{stack.url}/jobs", params=query, content=rows).json()
        put(stack, "jobs", deny=["둘"])
        httpx.delete(f"{stack.url}/policies/jobs")
    finally:
        for worker in stack.workers:
            os.kill(worker.pid, signal.SIGCONT)
    job = finish(stack, job)

    lines = result_lines(stack, job)

    assert job["policy"] == {"name": "jobs", "version": version}
    assert [line["classification"] for line in lines[:2]] == ["denied", lines[1]["labels"][0]]
    assert [(match["term"], match["text"]) for match in lines[0]["matches"]] == [("하나", "하나")]
    assert (lines[0]["scores"]["denied"], lines[1]["matches"]) == (1.0, [])
    assert {label for line in lines[1:] for label in line["labels"]} <= {"curse", "clean"}
    assert {line["details"]["revision"] for line in lines} == {stack.info()["model"]["revision"]}
    assert lines[0]["details"]["policy"] == {"name": "jobs", "version": version}
    table = httpx.get(f"{stack.url}/jobs/{job['id']}/results", params={"format": "csv"}).text.splitlines()
    assert table[0].endswith(",error,matches,details")
    assert '""term"":""하나""' in table[1]


def test_a_job_with_an_unknown_policy_is_refused(stack: Stack) -> None:
    for name in ("none", "jobs:results"):
        answer = httpx.post(f"{stack.url}/jobs", json={"texts": ["글"], "policy": name})
        assert error_of(answer)[:2] == (422, "policy")


def test_a_denied_term_is_a_span_and_the_policy_says_how_to_mask(stack: Stack) -> None:
    put(stack, "masked", deny=["멍청이"], mask={"labels": ["denied"], "char": "#", "keep_first": True})

    verdict = predict(stack.url, "😀 멍청이들아", policy="masked", explain=True, mask=True, offsets="utf16").json()

    assert verdict["spans"][0] == {"label": "denied", "start": 3, "end": 6, "text": "멍청이", "share": 1.0}
    assert verdict["masked"] == "😀 멍##들아"
    assert (verdict["matches"][0]["start"], verdict["matches"][0]["end"]) == (3, 6)


def test_rules_are_tried_without_being_stored_or_counted(stack: Stack) -> None:
    put(stack, "tried", deny=["하나"])
    body = {"rules": {"deny": ["둘"]}, "texts": ["하나", "둘", ""]}
    before = httpx.get(f"{stack.url}/policies").json()

    one, two, blank = httpx.post(f"{stack.url}/policies/tried/try", json=body, timeout=60).json()["data"]

    assert (one["was"]["classification"], two["now"]["classification"]) == ("denied", "denied")
    assert "denied" not in one["now"]["labels"] + two["was"]["labels"]
    assert blank["error"]["code"] == "empty_text"
    unnamed = httpx.post(f"{stack.url}/policies/unheard-of/try", json={**body, "texts": ["둘"]}, timeout=60).json()
    assert unnamed["data"][0]["now"]["classification"] == "denied"
    assert httpx.get(f"{stack.url}/policies").json() == before
    predict(stack.url, "하나", policy="tried")

    def hits() -> int:
        return int(httpx.get(f"{stack.url}/policies/tried/hits").json()["data"][0]["hits"])

    wait_until(lambda: hits() > 0, "the hit")
    assert hits() == 1
    assert httpx.post(f"{stack.url}/policies/tried/try", json={"rules": [], "texts": ["둘"]}).status_code == 422
    assert httpx.post(f"{stack.url}/policies/tried/try", json={"rules": {}, "texts": []}).status_code == 422
