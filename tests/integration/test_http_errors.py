"""Whatever is wrong with a request: a 4xx in the one error shape, and the good neighbours are answered."""

from typing import Any

import httpx
import pytest

from tests.support.stack import Stack

pytestmark = pytest.mark.integration

JSON = {"content-type": "application/json"}


def assert_refused(answer: httpx.Response, *statuses: int) -> dict[str, Any]:
    assert answer.status_code in statuses, answer.text[:300]
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "type", "param", "request_id"}
    assert len(answer.content) < 5_000
    return error


@pytest.mark.parametrize(
    ("item", "code"),
    [
        (rb'["\ud83d"]', "not_a_string"),
        (rb'{"\ud83d": 1}', "not_a_string"),
        (rb'{"a": [{"b": "\udfff"}]}', "not_a_string"),
        (b'"' + b"a" * 10_001 + rb'\ud83d"', "text_too_long"),
        (b"[" * 256 + b"]" * 256, "not_a_string"),
        (b'{"a":' * 500 + b"1" + b"}" * 500, "not_a_string"),
        (b"1" * 4_301, "not_a_string"),
        (b"-" + b"9" * 100_000, "not_a_string"),
        (b"[1, " + b"1" * 5_000 + b"]", "not_a_string"),
        (b"1e999", "not_a_string"),
        (b"NaN", "not_a_string"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_an_item_that_cannot_be_sent_back_is_null_and_its_neighbours_are_answered(
    stack: Stack, item: bytes, code: str
) -> None:
    answer = httpx.post(f"{stack.url}/predict", content=b'{"texts":["ok",' + item + b",7]}", headers=JSON)

    assert answer.status_code == 200, answer.text[:300]
    good, bad, number = answer.json()["results"]
    assert (good["text"], bool(good["classification"])) == ("ok", True)
    assert (bad["text"], bad["error"]["code"], bad["error"]["param"]) == (None, code, "texts[1]")
    assert (number["text"], number["error"]["code"]) == (7, "not_a_string")


@pytest.mark.parametrize("item", [b"10000000000000000000000000000000", b'{"a": [1, null]}', b"1.50"])
def test_an_item_that_can_be_sent_back_is(stack: Stack, item: bytes) -> None:
    answer = httpx.post(f"{stack.url}/predict", content=b'{"texts":["ok",' + item + b"]}", headers=JSON)
    assert b'"text":' + item.replace(b" ", b"").replace(b"1.50", b"1.5") in answer.content


@pytest.mark.parametrize(
    "body",
    [
        b'{"text":' + b"1" * 4_301 + b"}",
        rb'{"text": ["\ud83d"]}',
        rb'{"\ud83d": 1}',
        b'{"texts":[' + b"[" * 40_000 + b"]" * 40_000 + b"]}",
        b'{"text":' + b"1" * 4_301,
    ],
    ids=lambda value: str(value)[:24],
)
def test_a_single_text_that_is_none_is_refused_in_the_one_shape(stack: Stack, body: bytes) -> None:
    assert_refused(httpx.post(f"{stack.url}/predict", content=body, headers=JSON), 422)


@pytest.mark.parametrize("part", [":results", ":errors", ":chunks", ":texts", ":pace", "%00", "%ff", "\u3002"])
def test_an_id_that_names_a_part_of_a_job_is_as_unknown_as_any(stack: Stack, part: str) -> None:
    job = httpx.post(f"{stack.url}/jobs", json={"texts": ["글"]}).json()["id"]
    httpx.get(f"{stack.url}/jobs/{job}", params={"wait": 30}, timeout=60)
    for method, path in (
        ("GET", ""), ("GET", "/results"), ("GET", "/errors"), ("GET", "/events"), ("POST", "/cancel"), ("DELETE", ""),
    ):  # fmt: skip
        answers = [httpx.request(method, f"{stack.url}/jobs/{known}{part}{path}") for known in (job, "job_" + "0" * 24)]
        there, nowhere = (assert_refused(answer, 404) for answer in answers)
        # Nothing tells a job that is there from one that is not.
        assert there["message"].replace(job, "") == nowhere["message"].replace("job_" + "0" * 24, "")
    assert httpx.get(f"{stack.url}/jobs/{job}").status_code == 200


def test_a_cursor_that_is_no_id_is_refused_and_not_quoted_in_full(stack: Stack) -> None:
    assert_refused(httpx.get(f"{stack.url}/jobs", params={"after": "9" * 5_000}), 404)
    assert_refused(httpx.get(f"{stack.url}/jobs/{'9' * 5_000}"), 404)


@pytest.mark.parametrize(
    "body",
    [
        b'{"texts":["a"],"metadata":' + b'{"a":' * 3_000 + b"1" + b"}" * 3_000 + b"}",
        b'{"texts":["a"],"metadata":' + b"[" * 3_000 + b"]" * 3_000 + b"}",
        b'{"texts":["a"],"text_column":' + b"1" * 5_000 + b"}",
        b'{"texts":["a"],"sheet":-' + b"1" * 5_000 + b"}",
        rb'{"texts":["a"],"text_column":"\ud83d"}',
        rb'{"texts":["a"],"\ud83d":1}',
        b'{"texts":["a"],"' + b"x" * 100_000 + b'":1}',
    ],
    ids=lambda value: str(value)[14:50],
)
def test_an_option_of_a_job_that_cannot_be_read_is_refused(stack: Stack, body: bytes) -> None:
    assert_refused(httpx.post(f"{stack.url}/jobs", content=body, headers=JSON), 422)


@pytest.mark.parametrize("options", [{"metadata": "[" * 3_000}, {"metadata": '{"a":' * 1_500}, {"x" * 5_000: "1"}])
def test_so_is_one_in_the_query(stack: Stack, options: dict[str, str]) -> None:
    assert_refused(
        httpx.post(f"{stack.url}/jobs", params=options, content="글", headers={"content-type": "text/plain"}), 422
    )


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ('{"text": "안녕', "Unterminated string starting at line 1, column 10"),
        ('{"text":\n "안녕",}', "at line 2, column"),
    ],
)
def test_a_body_that_is_not_json_is_told_where_it_breaks(stack: Stack, body: str, fault: str) -> None:
    answer = httpx.post(f"{stack.url}/predict", content=body.encode(), headers=JSON)
    assert fault in assert_refused(answer, 422)["message"]


def test_a_misspelled_parameter_is_named_on_every_route_that_has_some(stack: Stack) -> None:
    """Doors take what clients of other services send."""
    described = httpx.get(f"{stack.url}/openapi.json").json()["paths"]
    ours = [path for path, kinds in described.items() if not path.startswith("/v1") and has_query(kinds.get("get", {}))]
    assert {"/jobs", "/jobs/{job_id}", "/reviews/{review_id}/decisions"} <= set(ours)
    for path in ours:
        address = path.replace("{version}", "1").replace("{", "").replace("}", "")
        answer = httpx.get(f"{stack.url}{address}", params={"limt": "3"})
        assert (path, answer.status_code) == (path, 422)
        assert answer.json()["error"]["param"] == "limt", path
        assert "there is no such parameter" in answer.json()["error"]["message"]


def has_query(operation: dict[str, Any]) -> bool:
    return any(parameter["in"] == "query" for parameter in operation.get("parameters", []))
