"""Hugging Face's client, and requests as Text Embeddings Inference takes them, against the door."""

import asyncio

import httpx
import pytest
from huggingface_hub import AsyncInferenceClient, InferenceClient
from huggingface_hub.errors import HfHubHTTPError

from tests.support.doors import BAD, CLEAN, HEADERS, KEY, plain_verdicts
from tests.support.stack import Stack

pytestmark = pytest.mark.integration


def post(service: Stack, body: dict, path: str = "/") -> httpx.Response:
    return httpx.post(f"{service.url}{path}", json=body, headers=HEADERS, timeout=60)


@pytest.mark.parametrize("path", ["", "/", "/models/kobert-default", "/models/someone/kobert-default"])
def test_the_client_gets_every_label(service: Stack, path: str) -> None:
    (plain,) = plain_verdicts(service, [BAD])
    found = InferenceClient(f"{service.url}{path}", token=KEY).text_classification(BAD)

    assert {element.label: element.score for element in found} == plain["scores"]
    assert found[0].label == plain["classification"]


def test_the_asynchronous_client_gets_the_first_labels(service: Stack) -> None:
    async def ask() -> list[str]:
        async with AsyncInferenceClient(service.url, token=KEY) as client:
            found = await client.text_classification(BAD, top_k=2, function_to_apply="sigmoid")
        return [element.label for element in found]

    assert asyncio.run(ask()) == ["curse", "insult"]


@pytest.mark.parametrize("inputs", [[CLEAN, BAD], [[CLEAN], [BAD]]])
def test_a_list_has_a_list_for_each_text(service: Stack, inputs: list) -> None:
    answer = post(service, {"inputs": inputs, "parameters": {"top_k": 1}, "options": {"wait_for_model": True}})

    assert [[each["label"] for each in labels] for labels in answer.json()] == [["clean"], ["curse"]]
    assert answer.headers["x-compute-characters"] == str(len(CLEAN) + len(BAD))
    assert "x-inference-time" in answer.headers


def test_predict_answers_inputs_as_text_embeddings_inference_does(service: Stack) -> None:
    one = post(service, {"inputs": BAD, "truncate": True}, "/predict")
    many = post(service, {"inputs": [[BAD], [CLEAN]]}, "/predict")
    pair = post(service, {"inputs": [[BAD, CLEAN]]}, "/predict")

    assert [set(each) for each in one.json()[:2]] == [{"label", "score"}] * 2
    assert [one.json()[0]["label"], *(labels[0]["label"] for labels in many.json())] == ["curse", "curse", "clean"]
    assert (pair.status_code, pair.json()["error_type"]) == (422, "validation")


def test_info_has_the_fields_of_text_embeddings_inference(service: Stack) -> None:
    info = httpx.get(f"{service.url}/info", headers=HEADERS).json()

    assert info["model_id"] == "kobert-default"
    assert info["model_sha"] == info["model"]["revision"]
    classifier = info["model_type"]["classifier"]
    assert classifier["id2label"] == {str(place): label for label, place in classifier["label2id"].items()}
    assert "curse" in classifier["label2id"]
    assert info["max_client_batch_size"] == info["limits"]["max_texts_per_request"]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"inputs": [[CLEAN, BAD]]}, 422, "inputs[0] is a pair"),
        ({"inputs": ""}, 422, "inputs is empty"),
        ({"inputs": [CLEAN, 3]}, 422, "inputs[1] must be a string, not a number"),
        ({}, 422, '"inputs" must be a string'),
        ({"inputs": CLEAN, "raw_scores": True}, 422, "raw scores are not served"),
        ({"inputs": CLEAN, "parameters": {"function_to_apply": "none"}}, 422, "function_to_apply='sigmoid'"),
        ({"inputs": CLEAN, "parameters": {"top_k": 0}}, 422, "top_k must be 1 or more"),
        ({"inputs": CLEAN, "parameters": {"temperature": 1}}, 422, "unknown field `temperature`"),
        ({"inputs": ["가"] * 1_001}, 413, "1,001 inputs in one request"),
    ],
)
def test_what_is_wrong_is_said_in_the_form_of_the_door(service: Stack, body: dict, status: int, words: str) -> None:
    answer = post(service, body)

    assert (answer.status_code, answer.json()["error_type"]) == (status, "validation")
    assert words in answer.json()["error"]


def test_the_client_shows_what_went_wrong(service: Stack) -> None:
    with pytest.raises(HfHubHTTPError, match=r"no model of this name is served; there is kobert-default"):
        InferenceClient(f"{service.url}/models/other", token=KEY).text_classification(CLEAN)
    with pytest.raises(HfHubHTTPError, match="401"):
        InferenceClient(service.url, token="wrong").text_classification(CLEAN)
