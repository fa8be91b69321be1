"""One text through every door: the same verdict."""

import httpx
import pytest

from tests.support.doors import HEADERS, KEY, plain_verdicts, sample_texts
from tests.support.metrics import grown, samples
from tests.support.stack import Stack

pytestmark = pytest.mark.integration

TEXTS = sample_texts(300)
LABEL_OF = {"PROFANITY": "curse", "INSULT": "insult", "IDENTITY_ATTACK": "hate", "THREAT": "threat"}
LEVELS = {"strict": 0.7, "standard": 0.8, "lenient": 0.9}


@pytest.fixture(scope="module")
def verdicts(service: Stack) -> list[dict]:
    return plain_verdicts(service, TEXTS)


def post(service: Stack, path: str, body: dict) -> httpx.Response:
    answer = httpx.post(f"{service.url}{path}", json=body, headers=HEADERS, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer


@pytest.fixture(scope="module")
def perspective(service: Stack) -> list[dict[str, float]]:
    attributes: dict[str, dict] = {name: {} for name in ("TOXICITY", "SEVERE_TOXICITY", *LABEL_OF)}
    with httpx.Client(base_url=service.url, params={"key": KEY}, timeout=60) as client:
        bodies = [{"comment": {"text": text}, "requestedAttributes": attributes} for text in TEXTS]
        answers = [client.post("/v1alpha1/comments:analyze", json=body) for body in bodies]
    assert [answer.text for answer in answers if answer.status_code != 200] == []
    return [
        {name: scores["summaryScore"]["value"] for name, scores in answer.json()["attributeScores"].items()}
        for answer in answers
    ]


def test_the_texts_have_every_verdict(verdicts: list[dict]) -> None:
    assert len(TEXTS) == 300
    assert {verdict["classification"] for verdict in verdicts} >= {"clean", "curse", "insult", "hate", "threat"}


def test_openai_flags_what_predict_does_not_call_clean_with_the_same_labels(
    service: Stack, verdicts: list[dict]
) -> None:
    results = post(service, "/v1/moderations", {"input": TEXTS}).json()["results"]

    for verdict, result in zip(verdicts, results, strict=True):
        labels = [label for label in verdict["scores"] if label != "clean" and result["categories"][label]]
        assert result["flagged"] == (verdict["classification"] != "clean")
        assert result["classification"] == verdict["classification"]
        assert set(labels) == set(verdict["labels"]) - {"clean"}
        assert {label: result["category_scores"][label] for label in verdict["scores"] if label != "clean"} == {
            label: score for label, score in verdict["scores"].items() if label != "clean"
        }


@pytest.mark.parametrize("path", ["/", "/models/kobert-default"])
def test_hugging_face_has_the_classification_first_and_the_same_scores(
    service: Stack, verdicts: list[dict], path: str
) -> None:
    for verdict, labels in zip(verdicts, post(service, path, {"inputs": TEXTS}).json(), strict=True):
        assert labels[0]["label"] == verdict["classification"]
        assert {each["label"]: each["score"] for each in labels} == verdict["scores"]


def test_perspective_reaches_0_8_where_a_label_counts(verdicts: list[dict], perspective: list[dict]) -> None:
    for verdict, values in zip(verdicts, perspective, strict=True):
        assert (values["TOXICITY"] >= 0.8) == (verdict["classification"] != "clean")
        assert {LABEL_OF[name] for name in LABEL_OF if values[name] >= 0.8} == {
            label for label in verdict["labels"] if label in LABEL_OF.values()
        }


@pytest.mark.parametrize("level", LEVELS)
def test_perspective_has_a_threshold_for_each_strictness(service: Stack, perspective: list[dict], level: str) -> None:
    found = post(service, "/predict", {"texts": TEXTS, "strictness": level}).json()["results"]

    for verdict, values in zip(found, perspective, strict=True):
        assert (values["TOXICITY"] >= LEVELS[level]) == (verdict["classification"] != "clean"), (verdict, values)


def test_severe_toxicity_is_never_above_toxicity(perspective: list[dict]) -> None:
    assert all(values["SEVERE_TOXICITY"] <= values["TOXICITY"] for values in perspective)
    assert 0 < sum(values["SEVERE_TOXICITY"] >= 0.8 for values in perspective) < 200


def test_every_door_follows_a_policy(service: Stack) -> None:
    text = "이 게시판의 금칙어는 감자입니다"
    made = httpx.put(f"{service.url}/policies/door-board", json={"deny": ["감자"]}, headers=HEADERS)
    assert made.status_code in {200, 201}, made.text
    asked = {"comment": {"text": text}, "requestedAttributes": {"TOXICITY": {}}}

    def answers(policy: dict) -> dict[str, bool]:
        openai = post(service, "/v1/moderations", {"input": text, **policy}).json()
        hugging_face = post(service, "/", {"inputs": text, "parameters": policy}).json()
        community = {"communityId": policy["policy"]} if policy else {}
        perspective = post(service, "/v1alpha1/comments:analyze", {**asked, **community}).json()
        return {
            "openai": openai["results"][0]["flagged"],
            "huggingface": hugging_face[0][0]["label"] != "clean",
            "perspective": perspective["attributeScores"]["TOXICITY"]["summaryScore"]["value"] >= 0.8,
        }

    assert set(answers({}).values()) == {False}
    assert set(answers({"policy": "door-board"}).values()) == {True}


@pytest.mark.parametrize(
    ("door", "path", "body"),
    [
        ("kobert", "/predict", {"text": "좋아요"}),
        ("openai", "/v1/moderations", {"input": "좋아요"}),
        ("huggingface", "/", {"inputs": "좋아요"}),
        (
            "perspective",
            "/v1alpha1/comments:analyze",
            {"comment": {"text": "좋아요"}, "requestedAttributes": {"INSULT": {}}},
        ),
    ],
)
def test_the_metrics_say_through_which_door_a_text_came(service: Stack, door: str, path: str, body: dict) -> None:
    before = samples(service.url, HEADERS)
    post(service, path, body)

    assert (
        grown(before, samples(service.url, HEADERS), "kobert_predictions_total", **{"class": "clean", "door": door})
        == 1
    )
