"""The newest client of OpenAI against the door."""

import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest
from openai.types import ModerationTextInputParam

from tests.support.doors import BAD, CLEAN, HEADERS, KEY, THREAT
from tests.support.stack import Stack, running_stack, wait_until

pytestmark = pytest.mark.integration

CATEGORIES = {
    "harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm",
    "self-harm/instructions", "self-harm/intent", "sexual", "sexual/minors", "violence", "violence/graphic",
}  # fmt: skip
UNANSWERED = {name for name in CATEGORIES if name.startswith(("illicit", "self-harm", "sexual"))} | {"violence/graphic"}


def client_of(service: Stack, key: str = KEY, retries: int = 0) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{service.url}/v1", api_key=key, max_retries=retries)


@pytest.fixture(scope="module")
def client(service: Stack) -> Iterator[openai.OpenAI]:
    with client_of(service) as opened:
        yield opened


def test_one_text_has_all_thirteen_categories_and_our_labels(client: openai.OpenAI) -> None:
    reply = client.moderations.create(input=BAD, model="omni-moderation-latest")
    (result,) = reply.results
    sent = result.model_dump(by_alias=True)

    assert reply.id.startswith("modr-")
    assert reply.model == "kobert-default"
    assert result.flagged
    assert result.categories.harassment
    assert result.category_scores.harassment > 0.5
    assert sent["classification"] == "curse"
    for part in ("categories", "category_scores", "category_applied_input_types"):
        assert CATEGORIES | {"curse", "insult", "threat", "hate/age"} <= set(sent[part])
    assert not any(sent["categories"][name] or sent["category_scores"][name] for name in UNANSWERED)
    assert {name for name in CATEGORIES if not sent["category_applied_input_types"][name]} == UNANSWERED


def test_many_texts_are_answered_in_order(client: openai.OpenAI) -> None:
    results = client.moderations.create(input=[CLEAN, THREAT, CLEAN]).results

    assert [result.flagged for result in results] == [False, True, False]
    assert results[1].categories.harassment_threatening
    assert results[1].categories.violence


def test_the_parts_of_one_input_have_one_result_the_worst_of_them(client: openai.OpenAI) -> None:
    parts: list[ModerationTextInputParam] = [{"type": "text", "text": CLEAN}, {"type": "text", "text": THREAT}]
    (result,) = client.moderations.create(input=parts).results

    assert result.flagged
    assert result.categories.harassment_threatening


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}], "input[0] is an image"),
        ([CLEAN, ""], "input[1] is empty"),
        ("", "input is empty"),
        ([], '"input" must be a string'),
        ({"text": CLEAN}, '"input" must be a string'),
        ([CLEAN, 3], "input[1] must be a string, not a number"),
        (["가"] * 1_001, "1,001 inputs in one request"),
    ],
)
def test_an_input_that_cannot_be_read_is_refused_by_name(client: openai.OpenAI, given: object, words: str) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        client.moderations.create(input=given)  # type: ignore[arg-type]

    assert words in caught.value.message
    assert caught.value.status_code in {400, 413}
    assert caught.value.param is not None
    assert caught.value.param.startswith("input")


def test_our_options_go_in_the_extra_body(client: openai.OpenAI) -> None:
    def flags(**extra: object) -> bool:
        return client.moderations.create(input=BAD, extra_body=extra).results[0].flagged

    certain = {"curse": 1.0, "insult": 1.0}
    assert not flags(thresholds=certain)
    assert flags(strictness="lenient")
    with pytest.raises(openai.BadRequestError, match="strictness must be one of"):
        flags(strictness="harsh")


def test_models_are_listed_and_found_by_name(client: openai.OpenAI) -> None:
    names = [model.id for model in client.models.list()]

    assert names[0] == "kobert-default"
    assert "omni-moderation-latest" in names
    assert client.models.retrieve("kobert-default").owned_by == "kobert-classifier"
    for find in (client.models.retrieve, lambda name: client.moderations.create(input=CLEAN, model=name)):
        with pytest.raises(openai.NotFoundError) as caught:
            find("gpt-9")
        assert caught.value.code == "model_not_found"


def test_a_wrong_key_is_an_authentication_error(service: Stack) -> None:
    with client_of(service, "wrong") as client, pytest.raises(openai.AuthenticationError) as caught:
        client.moderations.create(input=CLEAN)

    assert caught.value.code == "invalid_api_key"


@pytest.fixture
def busy(echo_bundle: Path) -> Iterator[Stack]:
    """A service that takes one text at a time, and a second for it."""
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as folder,
        running_stack(Path(folder), echo_bundle, max_inflight_texts=1, echo_pass_s=1.0, api_keys=KEY) as running,
    ):
        yield running


def test_a_client_that_is_told_to_come_back_later_does(busy: Stack) -> None:
    def texts_in_flight() -> int:
        return httpx.get(f"{busy.url}/info", headers=HEADERS).json()["inflight_texts"]

    first = threading.Thread(
        target=httpx.post, args=(f"{busy.url}/predict",), kwargs={"json": {"text": "가"}, "headers": HEADERS}
    )
    first.start()
    wait_until(lambda: texts_in_flight() == 1, "the first text")
    with client_of(busy) as impatient, pytest.raises(openai.RateLimitError) as caught:
        impatient.moderations.create(input="나")
    with client_of(busy, retries=5) as patient:
        assert patient.moderations.create(input="다").results[0].category_scores
    first.join()

    assert int(caught.value.response.headers["retry-after"]) >= 1
