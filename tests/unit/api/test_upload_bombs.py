"""Small xlsx and parquet files that unpack to gigabytes, or that would cost as much."""

import io
import re
import zipfile
from contextlib import nullcontext
from typing import IO, Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from api.uploads import spreadsheets
from shared.errors import MalformedRequestError, TooLargeError
from tests.unit.api.test_upload_files import fields_of, read, sheet_of

MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def rezipped(data: bytes, change: dict[str, Any]) -> bytes:
    """The file with parts replaced by what `change` makes of them."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, change[name](content) if name in change else content)
    return out.getvalue()


def shared_of(head: str, body: str) -> Any:
    return lambda _: (f'<?xml version="1.0"?>{head}<sst {MAIN}>{body}</sst>').encode()


@pytest.mark.parametrize(
    "change",
    [
        {"xl/worksheets/sheet1.xml": lambda old: old + b" " * 70_000_000},
        {"xl/sharedStrings.xml": shared_of("", f"<si><t>{'x' * 250_000_000}</t></si>")},
        {"xl/styles.xml": lambda old: old + b" " * 40_000_000},
    ],
    ids=["padding", "one string", "styles"],
)
def test_a_zip_bomb_ends_by_its_limit_and_is_refused(change: dict[str, Any]) -> None:
    bomb = rezipped(sheet_of([["댓글"], ["좋아요"]]), change)
    assert len(bomb) < 1_000_000
    with pytest.raises(TooLargeError, match=r"unpacks to more|too much memory|a cell of more than"):
        read(bomb, "a.xlsx")


def test_more_strings_than_a_sheet_may_have_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheets, "MAX_SHARED_STRINGS", 1_000)
    for count in (1_000, 1_001):
        with pytest.raises(TooLargeError, match="more than 1,000 strings") if count > 1_000 else nullcontext():
            assert len(spreadsheets._shared_strings(strings_of(count))) == count


def strings_of(count: int) -> IO[bytes]:
    return io.BytesIO(shared_of("", "<si><t>x</t></si>" * count)(b""))


def test_a_string_that_is_stored_once_and_stands_in_every_row_is_counted_each_time() -> None:
    rows = b"".join(b'<row r="%d"><c r="A%d" t="s"><v>1</v></c></row>' % (n, n) for n in range(3, 2_000))
    bomb = rezipped(
        sheet_of([["댓글"], ["좋아요"]]),
        {
            "xl/sharedStrings.xml": shared_of("", f"<si><t>댓글</t></si><si><t>{'가' * 100_000}</t></si>"),
            "xl/worksheets/sheet1.xml": lambda old: old.replace(b"</sheetData>", rows + b"</sheetData>"),
        },
    )
    with pytest.raises(TooLargeError, match="unpacks to more"):
        read(bomb, "a.xlsx")


def test_expanding_entities_are_refused() -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "x" * 100}">' for n in range(9))
    bomb = rezipped(
        sheet_of([["댓글"], ["좋아요"]]),
        {"xl/sharedStrings.xml": shared_of(f"<!DOCTYPE x [{entities}]>", "<si><t>&e8;</t></si>" * 2)},
    )
    with pytest.raises(MalformedRequestError, match="damaged"):
        read(bomb, "a.xlsx")


@pytest.mark.parametrize("row", ["4000000000", "1048577"])
def test_a_row_number_out_of_range_costs_no_time(row: str) -> None:
    data = rezipped(
        sheet_of([["댓글"], ["좋아요"]]),
        {"xl/worksheets/sheet1.xml": lambda old: re.sub(rb'<row r="2"', f'<row r="{row}"'.encode(), old)},
    )
    with pytest.raises(TooLargeError, match="rows"):
        read(data, "a.xlsx")


def test_a_cell_far_to_the_right_is_refused() -> None:
    with pytest.raises(TooLargeError, match="column 16,384"):
        read(sheet_of([["댓글"], ["좋아요", *[None] * 16_382, "x"]]), "a.xlsx")


SHEET, STRINGS = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"
COMMENT = b"<!--" + b"-a" * 1_500_000 + b"-->"
TAG = b'<a b="' + b">" * 3_000_000 + b'"/>'
DEPTH = b"<a>" * 700_000 + b"</a>" * 700_000


@pytest.mark.parametrize(
    ("part", "long"),
    [(SHEET, COMMENT), (SHEET, TAG), (SHEET, DEPTH), (STRINGS, COMMENT), (STRINGS, TAG)],
    ids=["comment", "tag", "depth", "comment of strings", "tag of strings"],
)
def test_a_tag_without_end_is_refused_before_it_is_read_again_and_again(part: str, long: bytes) -> None:
    """Each read of 16 kB begins a tag anew: one of 30 MB, which packs to 30 kB, took minutes."""
    first = b"<sheetData>" if part == SHEET else b"<si>"
    bomb = rezipped(sheet_of([["댓글"], ["좋아요"]]), {part: lambda old: old.replace(first, long + first, 1)})
    assert len(bomb) < 30_000
    with pytest.raises(TooLargeError, match="a tag, a comment or a cell of more than"):
        read(bomb, "a.xlsx")


def test_more_sheets_than_are_looked_through_are_refused() -> None:
    entry = b'<sheet name="%d" sheetId="%d" r:id="rId1"/>'
    many = b"".join(entry % (number, number) for number in range(2, 1_100))
    bomb = rezipped(
        sheet_of([["댓글"], ["좋아요"]]),
        {"xl/workbook.xml": lambda old: old.replace(b"</sheets>", many + b"</sheets>")},
    )
    with pytest.raises(TooLargeError, match="more than 1,000 sheets"):
        read(bomb, "a.xlsx")


@pytest.mark.parametrize("code", ["#" * 100_000, "\\" * 9_999, "0" + "," * 250, "0" + "%" * 250])
def test_a_format_that_no_spreadsheet_has_costs_no_time_and_no_file(code: str) -> None:
    data = rezipped(
        sheet_of([["댓글", "수"], ["좋아요", 1234.5]], formats={1: "0.0000"}),
        {"xl/styles.xml": lambda old: old.replace(b"0.0000", code.encode())},
    )
    [row], _ = read(data, "a.xlsx")
    assert fields_of(row) == [None, 1234.5]


def test_a_parquet_bomb_is_refused_within_the_limit_of_its_process() -> None:
    numbers = pa.array([0] * 20_000, pa.int32())
    table = pa.table({"text": pa.DictionaryArray.from_arrays(numbers, ["가" * 300_000])})
    out = io.BytesIO()
    parquet.write_table(table, out, compression="zstd")
    assert len(out.getvalue()) < 100_000
    with pytest.raises(TooLargeError, match=r"unpacks to more|too much memory"):
        read(out.getvalue(), "a.parquet")
