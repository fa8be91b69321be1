"""Whatever is sent to POST /predict gets a 200 or a 4xx in the one error shape, whatever its headers; never a 500.

500 examples; KOBERT_FUZZ_EXAMPLES says another number, and `make nightly` 20,000.
"""

import gzip
import json
import os
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.stack import Stack

pytestmark = [pytest.mark.integration, pytest.mark.timeout(0)]

EXAMPLES = int(os.environ.get("KOBERT_FUZZ_EXAMPLES", "500"))
fuzzing = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=EXAMPLES <= 500
)

# A place for JSON that Python's writer would not write.
HOLE = "\ufdd0"
raw_json = st.sampled_from(
    [
        "1" * 4_301,
        "-" + "9" * 9_000,
        "1e999",
        "NaN",
        "-Infinity",
        "[" * 256 + "]" * 256,
        '{"a":' * 300 + "1" + "}" * 300,
        "[" * 5_000,
        r'"\ud83d"',
        r'{"\udc00": "\ud83d"}',
        '"' + "가" * 10_001 + r'\ud83d"',
        "[" + "1," * 3_000 + "1]",
        "00",
        "'a'",
        "1.",
        '"\x01"',
    ]
)
names = st.sampled_from(["text", "texts", "strictness", "thresholds", "", "Text", "\ud83d", "curse", "__proto__"])
words = st.one_of(
    st.sampled_from(["", " ", "좋아요", "\ud83d", "\u3164", "\0", "각", "strict", "curse=0.4", "a" * 10_001, HOLE]),
    st.text(st.characters(), max_size=8),
)
values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), words),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.one_of(names, words), inner, max_size=4)),
    max_leaves=10,
)
requests = st.one_of(
    st.fixed_dictionaries({"text": st.one_of(words, values)}, optional={"strictness": values, "thresholds": values}),
    st.fixed_dictionaries(
        {"texts": st.one_of(st.lists(st.one_of(words, values), max_size=5), values)},
        optional={"strictness": st.one_of(words, values), "thresholds": values},
    ),
    st.dictionaries(names, values, max_size=4),
    values,
)
documents = st.builds(
    lambda value, raw, is_ascii: (
        json.dumps(value, ensure_ascii=is_ascii)
        .replace(f'"{HOLE}"', raw)
        .replace(r'"\ufdd0"', raw)
        .encode("utf-8", "surrogatepass")
    ),
    requests,
    raw_json,
    st.booleans(),
)
bodies = st.one_of(
    documents,
    documents.map(gzip.compress),
    documents.map(zlib.compress),
    documents.map(lambda document: document[:-1]),
    documents.map(lambda document: b"\xef\xbb\xbf" + document),
    documents.map(lambda document: document.decode("utf-8", "replace").encode("utf-16")),
    st.binary(max_size=60),
    st.just(gzip.compress(b" " * 30_000_000)),
)
latin = st.binary(max_size=20).map(lambda raw: bytes(byte for byte in raw if byte >= 32 and byte != 127).strip())
headers = st.fixed_dictionaries(
    {"content-type": st.one_of(st.just(b"application/json"), latin)},
    optional={
        "content-encoding": st.one_of(st.sampled_from([b"gzip", b"deflate", b"br", b"gzip, gzip", b"identity"]), latin),
        "accept": latin,
        "accept-encoding": latin,
        "authorization": st.one_of(latin, latin.map(lambda value: b"Bearer k" + value)),
        "x-request-id": latin,
        "origin": st.one_of(latin, st.sampled_from([b"null", b"https://evil.example", b"http://[::1"])),
        "sec-fetch-site": latin,
        "host": st.one_of(latin, st.sampled_from([b"[::1", b"evil.example", b"localhost:99999"])),
        "x-forwarded-for": latin,
        "x-forwarded-host": latin,
        "x-forwarded-prefix": st.one_of(latin, st.sampled_from([b"/a", b"//a", b"/../a", b"/predict"])),
        "x-forwarded-proto": latin,
        "cookie": latin,
        "traceparent": latin,
        "x-many": st.just(b"a" * 40_000),
    },
)


@pytest.fixture(scope="module")
def http(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.url, timeout=60) as client:
        yield client


@fuzzing
@given(body=bodies, headers=headers)
def test_any_request_is_answered_or_refused_in_the_one_shape(
    http: httpx.Client, body: bytes, headers: dict[str, bytes]
) -> None:
    answer = http.post("/predict", content=body, headers=[(name.encode(), value) for name, value in headers.items()])

    assert answer.status_code == 200 or 400 <= answer.status_code < 500, (answer.status_code, answer.text[:500])
    assert answer.headers["x-request-id"]
    if answer.status_code == 200:
        for result in answer.json().get("results", [answer.json()]):
            assert ("error" in result) != ("classification" in result)
    else:
        error = answer.json()["error"]
        assert set(error) == {"code", "message", "type", "param", "request_id"}
        assert error["code"] != "internal_error"
        assert error["message"]
        assert len(answer.content) < 10_000
