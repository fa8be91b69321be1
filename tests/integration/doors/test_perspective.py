"""Perspective's own clients against the door."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from googleapiclient import discovery
from googleapiclient.errors import HttpError

from tests.support.doors import BAD, CLEAN, HEADERS, KEY, THREAT, plain_verdicts
from tests.support.stack import Stack, wait_until

pytestmark = pytest.mark.integration

ANALYZE = "/v1alpha1/comments:analyze"


@pytest.fixture(scope="module")
def client(service: Stack) -> Iterator[Any]:
    """As in Perspective's sample for Python, but for the URL."""
    built = discovery.build(
        "commentanalyzer",
        "v1alpha1",
        developerKey=KEY,
        discoveryServiceUrl=f"{service.url}/$discovery/rest?version=v1alpha1",
        static_discovery=False,
    )
    yield built
    built.close()


def score(reply: dict, attribute: str = "TOXICITY") -> float:
    return reply["attributeScores"][attribute]["summaryScore"]["value"]


def post(service: Stack, body: dict, key: str | None = KEY, **headers: str) -> httpx.Response:
    params = {} if key is None else {"key": key}
    return httpx.post(f"{service.url}{ANALYZE}", json=body, params=params, headers=headers, timeout=60)


def ask(text: object, attributes: tuple[str, ...] = ("TOXICITY",), **fields: object) -> dict:
    return {"comment": {"text": text}, "requestedAttributes": {name: {} for name in attributes}, **fields}


def test_the_published_sample_runs(client: Any) -> None:
    analyze_request = {"comment": {"text": "friendly greetings from python"}, "requestedAttributes": {"TOXICITY": {}}}

    response = client.comments().analyze(body=analyze_request).execute()

    assert score(response) < 0.7
    assert response["languages"] == response["detectedLanguages"] == ["en"]


def test_offence_reaches_the_thresholds_that_sites_have(client: Any) -> None:
    replies = {text: client.comments().analyze(body=ask(text, languages=["en"])).execute() for text in (BAD, CLEAN)}

    assert score(replies[BAD]) >= 0.9
    assert score(replies[CLEAN]) < 0.7
    assert replies[BAD]["languages"] == ["en"]
    assert replies[BAD]["detectedLanguages"] == ["ko"]


def test_every_attribute_has_its_experimental_name(client: Any) -> None:
    names = ("TOXICITY", "SEVERE_TOXICITY", "IDENTITY_ATTACK", "INSULT", "PROFANITY", "THREAT")
    reply = client.comments().analyze(body=ask(THREAT, (*names, *(f"{name}_EXPERIMENTAL" for name in names)))).execute()

    assert set(reply["attributeScores"]) == {*names, *(f"{name}_EXPERIMENTAL" for name in names)}
    assert all(score(reply, name) == score(reply, f"{name}_EXPERIMENTAL") for name in names)
    assert score(reply, "THREAT") >= 0.8 > score(reply, "PROFANITY")


def test_a_score_threshold_leaves_lower_scores_out(service: Stack) -> None:
    body = {
        "comment": {"text": THREAT},
        "requestedAttributes": {
            "THREAT": {"scoreThreshold": 0.8, "scoreType": "PROBABILITY"},
            "PROFANITY": {"scoreThreshold": 0.8},
        },
    }

    assert list(post(service, body).json()["attributeScores"]) == ["THREAT"]


def test_span_scores_point_into_the_text_in_utf16_units(service: Stack) -> None:
    text = f"👍🏽 {CLEAN}. 😀😀\n👨‍👩‍👧 {BAD}! {THREAT}"
    reply = post(service, ask(text, spanAnnotations=True)).json()
    wide = text.encode("utf-16-le")
    spans = {
        wide[2 * span["begin"] : 2 * span["end"]].decode("utf-16-le"): span["score"]["value"]
        for span in reply["attributeScores"]["TOXICITY"]["spanScores"]
    }

    assert list(spans) == [f"👍🏽 {CLEAN}.", "😀😀", f"👨‍👩‍👧 {BAD}!", THREAT]
    assert [value >= 0.8 for value in spans.values()] == [False, False, True, True]


def test_without_span_annotations_the_whole_comment_is_one_span(service: Stack) -> None:
    scores = post(service, ask("😀 좋아요. 정말!")).json()["attributeScores"]["TOXICITY"]

    assert scores["spanScores"] == [{"begin": 0, "end": 11, "score": scores["summaryScore"]}]


def test_what_has_no_effect_is_taken_and_the_token_comes_back(service: Stack) -> None:
    body = ask(
        CLEAN,
        clientToken="comment-53922",
        sessionId="1",
        doNotStore=True,
        communityId="/forum/movies",
        context={"entries": [{"text": "글"}]},
        languages=["xx", "en"],
    )
    answer = post(service, body)

    assert answer.status_code == 200, answer.text
    assert (answer.json()["clientToken"], answer.json()["languages"]) == ("comment-53922", ["xx", "en"])


def test_corals_request_is_answered(service: Stack) -> None:
    """As `services/perspective` of Coral 9 sends it: the endpoint ends with /v1alpha1, the threshold is 80."""
    body = {
        "comment": {"text": BAD},
        "doNotStore": True,
        "requestedAttributes": {"TOXICITY": {}},
        "languages": ["en"],
    }
    url = httpx.URL(f"{service.url}/v1alpha1/comments:analyze").copy_set_param("key", KEY)
    answer = httpx.post(url, content=json.dumps(body), headers={"Content-Type": "application/json"}, timeout=60)

    assert answer.status_code == 200
    assert answer.json()["attributeScores"]["TOXICITY"]["summaryScore"]["value"] > 80 / 100


def coral_feedback(service: Stack, text: str, status: str) -> httpx.Response:
    """As Coral 9 sends what a moderator decided (`commentStatus` is APPROVED or DELETED)."""
    body = {
        "comment": {"text": text},
        "context": {"entries": [{"text": json.dumps({"url": "https://site.example/1", "Coral_comment_id": "c1"})}]},
        "attributeScores": {"TOXICITY": {"summaryScore": {"value": 0 if status == "APPROVED" else 1}}},
        "languages": ["en"],
        "communityId": "Coral:https://comments.site.example",
        "clientToken": "comment:c1",
    }
    return httpx.post(f"{service.url}/v1alpha1/comments:suggestscore", params={"key": KEY}, json=body, timeout=60)


def classification(service: Stack, text: str) -> str:
    return plain_verdicts(service, [text])[0]["classification"]


def corrections_of(service: Stack, text: str) -> list[dict]:
    page = httpx.get(f"{service.url}/corrections", params={"limit": 100}, headers=HEADERS).json()
    return [each for each in page["data"] if each["text"] == text]


def test_a_moderators_decision_becomes_a_correction(service: Stack) -> None:
    approved, deleted = f"{BAD} 라고 쓴 칠판", "산책하기 좋은 저녁이네요"
    answers = [coral_feedback(service, approved, "APPROVED"), coral_feedback(service, deleted, "DELETED")]

    assert [(answer.status_code, answer.json()) for answer in answers] == [(200, {"clientToken": "comment:c1"})] * 2
    wait_until(lambda: classification(service, approved) == "clean", "the correction of what was approved")
    wait_until(lambda: classification(service, deleted) != "clean", "the correction of what was deleted")
    assert score(post(service, ask(approved)).json()) < 0.8 <= score(post(service, ask(deleted)).json())


def test_a_decision_that_the_verdict_agrees_with_is_not_stored(client: Any, service: Stack) -> None:
    text = f"{BAD} 너 말이야"
    suggestion = {"comment": {"text": text}, "attributeScores": {"INSULT": {"summaryScore": {"value": 1}}}}
    client.comments().suggestscore(body=suggestion).execute()
    assert corrections_of(service, text) == []

    threat = {"comment": {"text": text}, "attributeScores": {"THREAT": {"summaryScore": {"value": 0.9}}}}
    client.comments().suggestscore(body=threat).execute()
    assert [each["classification"] for each in corrections_of(service, text)] == ["threat"]


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ({}, "attributeScores has no summaryScore"),
        ({"SPAM": {"summaryScore": {"value": 1}}}, "Attribute SPAM has no label"),
        ({"TOXICITY": {"summaryScore": {"value": "high"}}}, "Expected `float`"),
    ],
)
def test_a_decision_that_cannot_be_read_is_refused(service: Stack, scores: dict, words: str) -> None:
    body = {"comment": {"text": CLEAN}, "attributeScores": scores}
    answer = httpx.post(f"{service.url}/v1alpha1/comments:suggestscore", params={"key": KEY}, json=body, timeout=60)

    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]


def test_a_browser_sends_json_as_text(service: Stack) -> None:
    content = json.dumps(ask(CLEAN))
    answer = httpx.post(f"{service.url}{ANALYZE}?key={KEY}", content=content, headers={"Content-Type": "text/plain"})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("body", "error_type", "words"),
    [
        (ask(""), "COMMENT_EMPTY", "Comment must be non-empty."),
        (ask("가" * 10_001), "COMMENT_TOO_LONG", "MAX_TEXT_CHARS"),
        (ask(7), "INVALID_REQUEST", "must be a string, not a number"),
        ({"comment": {"text": CLEAN}}, "NO_REQUESTED_ATTRIBUTES", "Missing requested_attributes"),
        (ask(CLEAN, ("NICENESS",)), "INVALID_REQUEST", "Unknown requested attribute: NICENESS"),
        ({"requestedAttributes": {"INSULT": {}}}, "INVALID_REQUEST", "comment is missing"),
        (ask(CLEAN, unknown=1), "INVALID_REQUEST", "unknown field `unknown`"),
        (ask(CLEAN, languages="en"), "INVALID_REQUEST", "languages"),
        (
            {"comment": {"text": CLEAN, "type": "HTML"}, "requestedAttributes": {"INSULT": {}}},
            "INVALID_REQUEST",
            "PLAIN_TEXT",
        ),
        (
            {"comment": {"text": CLEAN}, "requestedAttributes": {"INSULT": {"scoreType": "STD_DEV"}}},
            "INVALID_REQUEST",
            "Requested score type STD_DEV is not supported by attribute INSULT",
        ),
    ],
)
def test_what_is_wrong_is_said_as_google_says_it(service: Stack, body: dict, error_type: str, words: str) -> None:
    answer = post(service, body)
    error = answer.json()["error"]

    assert (answer.status_code, error["code"], error["status"]) == (400, 400, "INVALID_ARGUMENT")
    assert error["details"][0]["errorType"] == error_type
    assert error["details"][0]["@type"] == "type.googleapis.com/google.commentanalyzer.v1alpha1.Error"
    assert words in error["message"]


def test_an_attribute_that_is_not_answered_is_named_so_that_clients_can_leave_it_out(
    client: Any, service: Stack
) -> None:
    with pytest.raises(HttpError, match="SEXUALLY_EXPLICIT does not support") as caught:
        client.comments().analyze(body=ask(CLEAN, ("TOXICITY", "SEXUALLY_EXPLICIT"))).execute()
    details = caught.value.error_details[0]
    assert details["errorType"] == "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"
    assert details["languageNotSupportedByAttributeError"]["attribute"] == "SEXUALLY_EXPLICIT"

    dropped = post(service, ask(CLEAN, ("TOXICITY", "SEXUALLY_EXPLICIT"), dropUnsupportedAttributes=True))
    assert list(dropped.json()["attributeScores"]) == ["TOXICITY"]


@pytest.mark.parametrize("key", [None, "", "wrong"])
def test_a_wrong_key_is_said_as_google_says_it(service: Stack, key: str | None) -> None:
    answer = post(service, ask(CLEAN), key)

    assert (answer.status_code, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert answer.json()["error"]["details"][0]["reason"] == "API_KEY_INVALID"


@pytest.mark.parametrize("headers", [{"X-Goog-Api-Key": KEY}, {"Authorization": f"Bearer {KEY}"}])
def test_a_key_may_come_in_a_header(service: Stack, headers: dict[str, str]) -> None:
    assert post(service, ask(CLEAN), None, **headers).status_code == 200


def test_the_key_of_the_address_is_in_no_log(service: Stack) -> None:
    post(service, ask(CLEAN), "a-secret-in-the-address")

    assert "a-secret-in-the-address" not in service.logs()


def test_the_discovery_document_leads_back_through_the_proxy(service: Stack) -> None:
    forwarded = {
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "moderation.example",
        "X-Forwarded-Prefix": "/kobert",
        "X-Forwarded-For": "203.0.113.7",
    }
    direct, behind = (
        httpx.get(f"{service.url}/$discovery/rest?version=v1alpha1", headers=headers).json()
        for headers in ({}, forwarded)
    )

    assert direct["rootUrl"] == f"{service.url}/"
    assert behind["rootUrl"] == behind["baseUrl"] == "https://moderation.example/kobert/"
