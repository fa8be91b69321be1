"""What the API answers to each kind of request, over real HTTP."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.stack import Stack, running_stack, wait_until

pytestmark = pytest.mark.integration

JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def stack(echo_bundle: Path) -> Iterator[Stack]:
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as folder,
        running_stack(
            Path(folder), echo_bundle, max_text_chars=1000, max_texts_per_request=5, max_body_bytes=65536
        ) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def http(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.url, timeout=60) as client:
        yield client


def post(http: httpx.Client, body: str | bytes, headers: dict[str, str] = JSON) -> httpx.Response:
    return http.post("/predict", content=body.encode() if isinstance(body, str) else body, headers=headers)


def test_the_root_greets_as_the_original_did(http: httpx.Client) -> None:
    assert http.get("/").json() == {"message": "Text Classification API (KoBERT)"}


def test_the_reply_begins_with_the_two_fields_of_the_original(http: httpx.Client) -> None:
    body = http.post("/predict", json={"text": "이 영화 정말 재미있었어요!"}).json()

    assert list(body)[:2] == ["text", "classification"]
    assert body["text"] == "이 영화 정말 재미있었어요!"
    assert body["confidence"] == body["scores"][body["classification"]]


@pytest.mark.parametrize(
    "text",
    [
        "각",  # decomposed Hangul
        "a\x00b",
        "👨‍👩‍👧‍👦 가족",
        "\u202e뒤집힌 글",
        '따옴표 " 와 \\ 역사선',
        "줄\r\n바꿈\u2028과 탭\t",
        "\U0010ffff 끝",
        "  앞뒤 공백  ",
        "ﷺ",
    ],
)
def test_any_valid_unicode_comes_back_byte_for_byte(http: httpx.Client, text: str) -> None:
    for escaped in (True, False):
        body = json.dumps({"text": text}, ensure_ascii=escaped)
        answer = post(http, body)
        assert answer.status_code == 200
        assert answer.json()["text"].encode() == text.encode()


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ('{"text": ""}', "empty_text", "text"),
        ('{"text": "  \\n "}', "empty_text", "text"),
        ('{"text": "\\ud800"}', "invalid_unicode", "text"),
        ('{"text": 7}', "not_a_string", "text"),
        ('{"text": null}', "not_a_string", "text"),
        ('{"text": "' + "가" * 1001 + '"}', "text_too_long", "text"),
        ("{}", "invalid_request", "text"),
        ('{"text": "a", "texts": ["b"]}', "invalid_request", "text"),
        ('{"texts": []}', "invalid_request", "texts"),
        ('{"texts": "a"}', "invalid_request", "texts"),
        ('{"texts": ["", 7]}', "empty_text", "texts[0]"),
        ('{"text": "a", "strictnes": "strict"}', "invalid_request", "strictnes"),
        ('{"text": "a", "colour": null}', "invalid_request", "colour"),
        ('{"texts": ["a"], "": 1}', "invalid_request", ""),
        ('{"text": "a", "\\ud800": 1}', "invalid_request", "?"),
        ('{"text": "a", "' + "x" * 900 + '": 1}', "invalid_request", "x" * 60),
        ('{"text": "a", "strictness": "harsh"}', "invalid_request", "strictness"),
        ('{"text": "a", "strictness": 1}', "invalid_request", "strictness"),
        ('{"text": "a", "thresholds": "curse=0.4"}', "invalid_request", "thresholds"),
        ('{"text": "a", "thresholds": {"curse": 2}}', "invalid_request", "thresholds"),
        ('{"text": "a", "thresholds": {"curse": NaN}}', "invalid_request", "thresholds"),
        ('{"text": "a", "thresholds": {"curse": true}}', "invalid_request", "thresholds"),
        ('{"text": "a", "thresholds": {"\\ud800": 0.5}}', "invalid_request", "thresholds"),
        ('{"text": "a", "strictness": "strict"}', "unsupported_option", "strictness"),
        ('{"text": "a", "thresholds": {"curse": 0.5}}', "unsupported_option", "thresholds"),
        ('["a"]', "invalid_request", None),
        ('{"text": "a"', "invalid_request", None),
        ("", "invalid_request", None),
        ("[" * 40_000, "invalid_request", None),
    ],
)
def test_a_request_without_a_text_is_422_and_says_which_item(
    http: httpx.Client, body: str, code: str, param: str | None
) -> None:
    answer = post(http, body)

    assert answer.status_code == 422
    error = answer.json()["error"]
    assert (error["code"], error["param"], error["type"]) == (code, param, "invalid_request_error")
    assert error["request_id"] == answer.headers["x-request-id"]


def test_a_body_in_cp949_is_refused_with_what_to_do(http: httpx.Client) -> None:
    answer = post(http, '{"text": "한글"}'.encode("cp949"))
    assert answer.status_code == 422
    assert "encode it as UTF-8" in answer.json()["error"]["message"]


def test_a_byte_order_mark_does_no_harm(http: httpx.Client) -> None:
    assert post(http, b"\xef\xbb\xbf" + b'{"text": "ok"}').status_code == 200


def test_one_bad_item_does_not_fail_the_others_and_an_invalid_one_is_not_echoed(http: httpx.Client) -> None:
    answer = post(http, '{"texts": ["좋아요", "\\ud800", "싫어요"]}')

    assert answer.status_code == 200
    first, bad, last = answer.json()["results"]
    assert (first["text"], last["text"]) == ("좋아요", "싫어요")
    assert (bad["text"], bad["error"]["code"], bad["error"]["param"]) == (None, "invalid_unicode", "texts[1]")


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "text/plain", ""])
def test_a_body_that_is_not_said_to_be_json_is_415_with_the_header_to_send(
    http: httpx.Client, content_type: str
) -> None:
    answer = post(http, '{"text": "a"}', {"content-type": content_type} if content_type else {})
    assert answer.status_code == 415
    assert "Content-Type: application/json" in answer.json()["error"]["message"]


def test_a_body_over_the_limit_is_413_whether_its_length_is_said_or_not(http: httpx.Client) -> None:
    big = json.dumps({"text": "a" * 70_000}).encode()

    said = post(http, big)
    unsaid = http.post("/predict", content=(big[i : i + 1000] for i in range(0, len(big), 1000)), headers=JSON)

    for answer in (said, unsaid):
        assert answer.status_code == 413
        assert "65,536 bytes" in answer.json()["error"]["message"]


def test_more_texts_than_the_limit_are_413(http: httpx.Client) -> None:
    answer = http.post("/predict", json={"texts": ["a"] * 6})
    assert (answer.status_code, answer.json()["error"]["param"]) == (413, "texts")


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("GET", "/predict", 405)])
def test_unknown_routes_and_methods_have_the_one_error_shape(
    http: httpx.Client, method: str, path: str, status: int
) -> None:
    answer = http.request(method, path)

    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"code", "message", "type", "param", "request_id"}


def test_the_service_says_that_it_lives_is_ready_and_what_it_serves(http: httpx.Client) -> None:
    assert http.get("/health").json() == {"status": "ok"}
    wait_until(lambda: "store_warnings" in http.get("/ready").json(), "the first look at the store's settings")
    ready = http.get("/ready").json()
    # A test's Valkey has no limit on its memory, which an operator is warned of.
    assert "maxmemory" in ready.pop("store_warnings")[0]
    assert ready == {"status": "ready", "workers": 1}
    info = http.get("/info").json()
    assert info["model"]["name"] == "echo"
    assert info["model"]["labels"] == ["clean", "curse", "insult", "hate"]
    assert info["limits"]["max_text_chars"] == 1000
    assert info["workers"][0]["rss_bytes"] > 0


def test_openapi_shows_korean_examples_and_every_error_status(http: httpx.Client) -> None:
    operation = http.get("/openapi.json").json()["paths"]["/predict"]["post"]

    examples = operation["requestBody"]["content"]["application/json"]["examples"]
    assert examples["text"]["value"] == {"text": "이 영화 정말 재미있었어요!"}
    assert {"200", "413", "415", "422", "429", "503", "504"} <= set(operation["responses"])
    assert http.get("/docs").status_code == 200
