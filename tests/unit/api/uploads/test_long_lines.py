"""Lines and items that are too long are errors of their own that say so, and cost no other row."""

import json

import msgspec
import pytest

from api.uploads.decoding import MAX_LINE_BYTES
from api.uploads.json_items import MAX_ITEM_BYTES
from api.uploads.options import UploadOptions
from api.uploads.sources import open_file, open_items
from shared.jobs.records import Row
from shared.settings import Settings

PIECE_BYTES = 1 << 16


def read(data: bytes, file_format: str) -> list[Row]:
    pieces = (data[start : start + PIECE_BYTES] for start in range(0, len(data), PIECE_BYTES))
    return list(open_file(pieces, file_format, UploadOptions(), Settings()).rows)


@pytest.mark.parametrize(
    ("file_format", "data"),
    [
        ("csv", b"id,page,text\n1,%b,a\n2,b,\xeb\x82\x98\n"),
        ("csv", b'id,page,text\n1,"%b",a\n2,b,\xeb\x82\x98\n'),
        ("txt", b"%b\n\xeb\x82\x98\n"),
        ("jsonl", b'{"page": "%b", "text": "a"}\n{"text": "\xeb\x82\x98"}\n'),
    ],
)
def test_a_line_that_is_too_long_is_said_to_be(file_format: str, data: bytes) -> None:
    rows = read(data % (b"x" * MAX_LINE_BYTES), file_format)

    long, good = rows
    assert long.error is not None
    assert f"line {long.line} has more than {MAX_LINE_BYTES:,} bytes; make it shorter" in long.error.message
    assert long.text is None
    assert good.text == "나"


def test_a_quoted_cell_over_a_line_that_is_too_long_costs_no_other_row() -> None:
    long = "x" * MAX_LINE_BYTES
    rows = read(f'id,page,text\n1,"a\n{long}\nb",가\n2,b,나\n'.encode(), "csv")

    assert [(row.line, row.text) for row in rows if row.error is None] == [(5, "나")]
    assert all(row.error is not None and "line 3 has more than" in row.error.message for row in rows[:2])


def test_a_line_of_the_most_bytes_is_read_and_an_item_may_be_longer() -> None:
    line = json.dumps({"text": "가", "page": ""}, ensure_ascii=False).encode()
    line = line.replace(b'""', b'"%b"' % (b"x" * (MAX_LINE_BYTES - len(line) - 1)))
    assert len(line) == MAX_LINE_BYTES - 1

    assert [row.text for row in read(line + b"\n", "jsonl")] == ["가"]
    longer = line.replace(b'"x', b'"xx')
    assert [row.error is None for row in read(longer + b"\n", "jsonl")] == [False]
    assert [row.text for row in read(b"[" + longer + b"," + longer + b"]", "json")] == ["가", "가"]


@pytest.mark.parametrize("document", ["[%s, %s]", "[%s]", "%s"])
def test_an_item_that_is_too_long_is_said_to_be(document: str) -> None:
    item = '{"text": "%s"}' % ("x" * MAX_ITEM_BYTES)
    rows = read(document.replace("%s", item).encode(), "json")

    assert {row.error.message.partition(" has")[2] for row in rows if row.error} == {
        f" more than {MAX_ITEM_BYTES:,} bytes; make it shorter, or leave out columns that are not needed"
    }
    assert len(rows) == document.count("%s")


def test_an_item_of_a_json_body_has_the_same_limit() -> None:
    raw = msgspec.Raw(b'"%b"' % (b"x" * MAX_ITEM_BYTES))
    source = open_items([raw, msgspec.Raw('"나"'.encode())], UploadOptions(), Settings())

    long, good = source.rows
    assert long.error is not None
    assert f"item 1 has more than {MAX_ITEM_BYTES:,} bytes" in long.error.message
    assert good.text == "나"
