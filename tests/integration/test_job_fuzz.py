"""Whatever is sent to POST /jobs gets a 202 or a 4xx in the one error shape, never a 500; so do its results.

500 examples; KOBERT_FUZZ_EXAMPLES says another number, and `make nightly` 20,000.
"""

import gzip
import io
import json
import os
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import xlsxwriter
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from api.uploads.options import FORMATS
from tests.support.stack import Stack

pytestmark = [pytest.mark.integration, pytest.mark.timeout(0)]

EXAMPLES = int(os.environ.get("KOBERT_FUZZ_EXAMPLES", "500"))
ENCODINGS = ["utf-8", "utf-8-sig", "cp949", "utf-16", "utf-16-be", "utf-32", "johab", "idna", "undefined", "x" * 99]
NAMES = ["text", "댓글", "\u1103\u1162\u11ba\u1100\u1173\u11af", "id", "", "1", "data.text", "²", "9" * 5_000, "=1+1"]


def sheet() -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        page = book.add_worksheet()
        page.write_row(0, 0, ["번호", "댓글"])
        page.write_row(1, 0, [1, "좋아요"])
    return out.getvalue()


cells = st.sampled_from(
    [
        "좋아요",
        "a",
        "",
        '"',
        '""',
        ",",
        "\\",
        '\\"',
        "\r",
        "\n",
        "\r\n",
        "\t",
        ";",
        "=1",
        "\0",
        "🙂",
        "sep=;",
        "{",
        "[",
        "}",
        "]",
        ":",
        "null",
        "NaN",
        '"text"',
        "\\ud83d",
    ]
)
words = st.one_of(cells, st.sampled_from(NAMES), st.text(max_size=5))
texts = st.lists(words, max_size=30).map("".join)
encoded = st.builds(lambda text, encoding: text.encode(encoding, "replace"), texts, st.sampled_from(ENCODINGS[:7]))
tables = st.builds(
    lambda header, rows, encoding: "\n".join([",".join(header), *rows]).encode(encoding, "replace"),
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=4),
    st.lists(texts, max_size=6),
    st.sampled_from(ENCODINGS[:7]),
)
values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(st.characters(), max_size=6),
        st.sampled_from(NAMES),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from([*NAMES, "texts", "items", "metadata"]), inner, max_size=4),
    ),
    max_leaves=12,
)
documents = st.builds(
    lambda value, ascii_only: json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass"),
    values,
    st.booleans(),
)
lines = st.lists(documents, max_size=4).map(b"\n".join)
harmed = st.builds(
    lambda data, at, piece: data[: at % len(data)] + piece + data[at % len(data) + len(piece) :],
    st.just(sheet()),
    st.integers(0, 100_000),
    st.binary(max_size=8),
)
contents = st.one_of(
    st.binary(max_size=60),
    encoded,
    tables,
    documents,
    lines,
    harmed,
    tables.map(lambda data: gzip.compress(data, mtime=0)),
    st.just(b"PAR1" + b"\0" * 20),
)
hostile = st.fixed_dictionaries(
    {},
    optional={
        "format": st.sampled_from([*FORMATS, "xls", "x"]),
        "encoding": st.sampled_from(ENCODINGS),
        "text_column": st.sampled_from([*["1"] * 10, *NAMES]),
        "id_column": st.sampled_from(NAMES),
        "header": st.sampled_from(["true", "false", "x"]),
        "header_row": st.sampled_from(["1", "2", "3", "100", "0", "x", "9" * 5_000]),
        "sheet": st.sampled_from(["1", "Sheet1", "x", "9" * 5_000]),
        "metadata": st.sampled_from(["{}", '{"a":"b"}', "{", "[" * 3_000]),
        "file_name": st.sampled_from(["a.csv", "a.xls", "../a.json", "\n", "x"]),
    },
)
# Half of the options can be followed, so that rows are read.
options = st.one_of(
    hostile,
    st.fixed_dictionaries(
        {"format": st.sampled_from(FORMATS), "text_column": st.just("1")}, optional={"header": st.just("false")}
    ),
    st.fixed_dictionaries({"format": st.sampled_from(["txt", "json", "jsonl", "csv"])}),
)
types = st.sampled_from(
    [
        "text/csv",
        "text/plain",
        "application/json",
        "application/jsonl",
        "text/csv; charset=euc-kr",
        "application/vnd.ms-excel",
        "multipart/form-data",
        "multipart/form-data; boundary=x",
        "",
    ]
)
dispositions = st.sampled_from(
    [
        'name="file"; filename="a.csv"',
        "name=file; filename*=utf-8''%EB%8C%93.csv",
        'name="file"; filename="blob"',
        'name="other"',
        "name",
        "",
    ]
)


def assert_in_shape(answer: httpx.Response, expected: int) -> None:
    assert answer.status_code == expected or 400 <= answer.status_code < 500, (answer.status_code, answer.text[:500])
    if answer.status_code != expected:
        error = answer.json()["error"]
        assert error["code"] != "internal_error"
        assert error["message"]
        assert len(answer.content) < 5_000


@pytest.fixture(scope="module")
def http(stack: Stack) -> Iterator[httpx.Client]:
    # One client: httpx.post would read the system's certificates anew for each request, most of the run's time.
    with httpx.Client(base_url=stack.url, timeout=60) as client:
        yield client


def send(http: httpx.Client, content: bytes, query: dict[str, str], content_type: str) -> None:
    answer = http.post("/jobs", content=content, params=query, headers={"Content-Type": content_type})
    assert_in_shape(answer, 202)
    event(f"status {answer.status_code}")
    if answer.status_code == 202:
        job = f"/jobs/{answer.json()['id']}"
        for file_format in ("jsonl", "csv"):
            results = http.get(f"{job}/results", params={"partial": "true", "format": file_format, "safe": "true"})
            assert_in_shape(results, 200)
        assert http.delete(job).status_code == 200


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=EXAMPLES <= 500)
@given(content=contents, query=options, content_type=types)
def test_any_body_is_taken_or_refused_in_the_one_shape(
    http: httpx.Client, content: bytes, query: dict[str, str], content_type: str
) -> None:
    send(http, content, query, content_type)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=EXAMPLES <= 500)
@given(
    content=contents,
    query=options,
    content_type=types,
    disposition=dispositions,
    before=options,
    cut=st.integers(0, 40),
)
def test_any_form_is_taken_or_refused_in_the_one_shape(
    http: httpx.Client,
    content: bytes,
    query: dict[str, str],
    content_type: str,
    disposition: str,
    before: dict[str, str],
    cut: int,
) -> None:
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in before.items()
    ]
    head = f"--x\r\nContent-Disposition: form-data; {disposition}\r\nContent-Type: {content_type}\r\n\r\n".encode()
    body = b"".join(parts) + head + content + b"\r\n--x--\r\n"
    send(http, body[: len(body) - cut] if cut < 5 else body, query, "multipart/form-data; boundary=x")
