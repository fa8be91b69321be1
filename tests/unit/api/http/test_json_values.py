"""The count of a document's values, before it is parsed."""

import json

import pytest

from api.http.json_values import require_few_values
from shared.errors import TooLargeError

MANY = 500_000


@pytest.mark.parametrize(
    "raw",
    [
        b'{"texts": [' + b"[]," * MANY + b"[]]}",
        b'{"texts": [' + b'"a",' * MANY + b'"a"]}',
        b'{"texts": [' + b'"[,",' * MANY + b'"a"]}',
        b'{"x": ' + b'{"x":' * MANY,
        b"[" * MANY,
        b'"a"' * 10 + b"," * MANY,
        b'"' + b"\\" * (2 * MANY) + b'"' + b"," * MANY,
    ],
    ids=lambda raw: raw[:24].decode(),
)
def test_a_document_of_many_values_is_refused(raw: bytes) -> None:
    with pytest.raises(TooLargeError, match="more than 1,000 values"):
        require_few_values(raw, 1_000)


@pytest.mark.parametrize(
    "raw",
    [
        json.dumps({"texts": ['오늘, 날씨가 [참] 좋네요, {정말}, "그렇죠"?\\' * 30] * 900}).encode(),
        b'{"text": "' + b"," * MANY + b'"}',
        b'{"text": "' + b"," * MANY,
        b'{"text": "' + b'\\"' * MANY,
        b'{"text": "' + b'\\"[' * MANY + b"\\",
        b"",
    ],
    ids=lambda raw: raw[:24].decode(),
)
def test_what_stands_within_strings_is_no_value(raw: bytes) -> None:
    require_few_values(raw, 2_000)
