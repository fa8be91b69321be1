"""Options that can say nothing about what came are refused, and never ignored."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from api.uploads.opening import Opened, UploadOpener, UploadRequest
from api.uploads.options import parse_options
from shared.errors import MalformedRequestError
from shared.settings import Settings
from tests.unit.api.uploads.test_titles import as_xlsx
from tests.unit.api.uploads.test_uploads import pieces_of


def as_parquet() -> bytes:
    out = pa.BufferOutputStream()
    parquet.write_table(pa.table({"댓글": ["좋아요"]}), out)
    return bytes(out.getvalue())


FILES = {
    "csv": "번호,댓글\n1,좋아요\n".encode(),
    "tsv": "번호\t댓글\n1\t좋아요\n".encode(),
    "txt": "좋아요\n별로\n".encode(),
    "jsonl": '{"댓글": "좋아요"}\n'.encode(),
    "json": '[{"댓글": "좋아요"}]'.encode(),
    "xlsx": as_xlsx([["번호", "댓글"], ["1", "좋아요"]])[0],
    "parquet": as_parquet(),
}
VALUES = {"sheet": "1", "header_row": "1", "encoding": "utf-8", "text_column": "댓글"}
APPLICABLE = {
    "sheet": {"xlsx"},
    "header_row": {"csv", "tsv", "xlsx"},
    "encoding": {"csv", "tsv", "txt", "jsonl", "json"},
    "text_column": set(FILES) - {"txt"},
}


class SentBody:
    """A body that has come whole."""

    def __init__(self, data: bytes) -> None:
        self.received_bytes = len(data)
        self._data = data

    def __iter__(self) -> Iterator[bytes]:
        return pieces_of(self._data)


def opened(data: bytes, content_type: str, query: dict[str, str]) -> Opened:
    request = UploadRequest("o", content_type, query, None)
    return UploadOpener(Settings(), parse_options).open(request, SentBody(data))


def texts_of(data: bytes, content_type: str, query: dict[str, str]) -> list[str | None]:
    upload = opened(data, content_type, query)
    try:
        return [row.text for row in upload.source.rows]
    finally:
        upload.source.close()


@pytest.mark.parametrize("option", VALUES)
@pytest.mark.parametrize("file_format", FILES)
@pytest.mark.parametrize("is_packed", [False, True])
def test_an_option_is_followed_or_refused_with_the_formats_that_it_is_for(
    option: str, file_format: str, is_packed: bool
) -> None:
    data = gzip.compress(FILES[file_format]) if is_packed else FILES[file_format]
    query = {"format": file_format, option: VALUES[option]}
    if file_format in APPLICABLE[option]:
        assert texts_of(data, "", query)[0] == "좋아요"
        return
    with pytest.raises(MalformedRequestError, match=f"{option}= is for .*; the file is {file_format}") as caught:
        opened(data, "", query)
    assert caught.value.param == option


@pytest.mark.parametrize("option", ["text_column", "id_column"])
def test_a_column_of_a_text_file_that_is_no_table_is_refused_before_its_lines_are_read(option: str) -> None:
    with pytest.raises(MalformedRequestError, match="If it is a table, say format=csv or format=tsv"):
        opened(FILES["txt"], "text/plain", {option: "댓글"})
    table = FILES["tsv"]
    assert texts_of(table, "text/plain", {"id_column": "번호"}) == ["좋아요"]


@pytest.mark.parametrize("given", [{"sheet": 1}, {"sheet": "댓글"}, {"header_row": 2}, {"encoding": "cp949"},
                                   {"header": False}, {"format": "csv"}])  # fmt: skip
@pytest.mark.parametrize("texts", [{"texts": ["좋아요"]}, {"items": [{"id": 1, "text": "좋아요"}]}])
def test_what_is_said_of_a_file_is_refused_where_a_json_body_has_the_texts(
    given: dict[str, Any], texts: dict[str, Any]
) -> None:
    (option,) = given
    with pytest.raises(MalformedRequestError, match=f"{option}= applies to an uploaded file only") as caught:
        opened(json.dumps({**texts, **given}).encode(), "application/json", {})
    assert caught.value.param == option


def test_what_is_said_of_rows_and_nothing_else_is_taken_with_a_json_body() -> None:
    body = {"items": [{"no": 1, "말": "좋아요"}], "text_column": "말", "id_column": "no", "file_name": "a.json"}
    unsaid = {"sheet": None, "encoding": "", "header": True}
    assert texts_of(json.dumps({**body, **unsaid}).encode(), "application/json", {}) == ["좋아요"]


@pytest.mark.parametrize("file_format", ["xlsx", "parquet"])
def test_a_charset_that_a_client_writes_on_every_file_is_no_option(file_format: str) -> None:
    assert texts_of(FILES[file_format], "text/csv; charset=euc-kr", {}) == ["좋아요"]
    assert texts_of("번호,댓글\n1,좋아요\n".encode("cp949"), "text/csv; charset=euc-kr", {}) == ["좋아요"]
