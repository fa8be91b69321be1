"""xlsx and parquet going in: sheets, dates, numbers, and what is called .xls and is none."""

import datetime as dt
import io
import zipfile
from collections.abc import Callable
from typing import Any

import msgspec
import psutil
import pyarrow as pa
import pytest
import xlsxwriter
from pyarrow import parquet

from api.uploads import confined
from api.uploads.options import UploadOptions
from api.uploads.sources import Source, choose_format, open_file
from shared.errors import MalformedRequestError, TooLargeError, UnsupportedMediaError
from shared.jobs.records import Row
from shared.settings import Settings
from tests.unit.api.test_upload_encodings import pieces_of


def read(data: bytes, file_name: str, **options: Any) -> tuple[list[Row], Source]:
    said = UploadOptions(**options)
    settings = Settings(max_text_chars=1_000, max_job_bytes=64_000_000)
    source = open_file(pieces_of(data, 65_536), choose_format(said, file_name, ""), said, settings)
    try:
        return list(source.rows), source
    finally:
        source.close()


def sheet_of(rows: list[list[Any]], *, formats: dict[int, str] | None = None, before: int = 0) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, "default_date_format": "yyyy-mm-dd"}) as book:
        styles = {column: book.add_format({"num_format": code}) for column, code in (formats or {}).items()}
        for number in range(before):
            book.add_worksheet(f"앞{number}").write_row(0, 0, ["x", "text"])
        sheet = book.add_worksheet("댓글 모음")
        for row, cells in enumerate(rows):
            for column, cell in enumerate(cells):
                sheet.write(row, column, cell, *([styles[column]] if column in styles and row else []))
    return out.getvalue()


def fields_of(row: Row) -> Any:
    return msgspec.json.decode(row.fields)


def test_the_rows_of_a_sheet_have_their_numbers_and_their_values_as_shown() -> None:
    rows, source = read(
        sheet_of(
            [
                ["번호", "댓글", "작성일", "금액", "비율", "공개"],
                [1, "좋아요 🙂\n둘째 줄", dt.datetime(2024, 1, 5), 50_000, 0.153, True],
                [],
                [2.5, 12_345, dt.datetime(2024, 1, 5, 13, 5), -1_200, 1, False],
                [3, None, None, None, None, None],
            ],
            formats={2: 'yyyy"년" m"월" d"일"', 3: '"₩"#,##0', 4: "0.0%"},
        ),
        "댓글.xlsx",
    )
    assert [(row.line, row.text, row.error.code if row.error else None) for row in rows] == [
        (2, "좋아요 🙂\n둘째 줄", None),
        (4, "12345", None),
        (5, "", "empty_text"),
    ]
    assert fields_of(rows[0]) == [1, None, "2024년 1월 5일", "₩50,000", "15.3%", "TRUE"]
    assert fields_of(rows[1]) == [2.5, None, "2024년 1월 5일", "-₩1,200", "100.0%", "FALSE"]
    description = source.describe()
    assert (description["format"], description["text_column"]) == ("xlsx", "댓글")


def test_a_formula_has_its_saved_value_and_a_text_is_never_one() -> None:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False}) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["text", "n"])
        sheet.write_formula(1, 0, '="좋"&"아요"', None, "좋아요")
        sheet.write_formula(1, 1, "=1+1", None, 2)
        sheet.write_string(2, 0, "=1+1 은 2")
    rows, _ = read(out.getvalue(), "a.xlsx")
    assert [row.text for row in rows] == ["좋아요", "=1+1 은 2"]
    assert fields_of(rows[0]) == [None, 2]


@pytest.mark.parametrize("sheet", ["댓글 모음", "3", "\u1103\u1162\u11ba\u1100\u1173\u11af 모음"])
def test_a_sheet_is_chosen_by_name_or_number_and_the_first_without(sheet: str) -> None:
    data = sheet_of([["댓글"], ["좋아요"]], before=2)
    assert [row.text for row in read(data, "a.xlsx", sheet=sheet)[0]] == ["좋아요"]
    assert read(data, "a.xlsx")[0] == []


@pytest.mark.parametrize("sheet", ["없음", "4", "0", "9" * 500_000, "\0"])
def test_a_sheet_that_is_not_there_is_refused_with_those_that_are(sheet: str) -> None:
    with pytest.raises(MalformedRequestError, match="there are 1 '앞0', 2 '댓글 모음'") as caught:
        read(sheet_of([["댓글"]], before=1), "a.xlsx", sheet=sheet)
    assert caught.value.param == "sheet"


def test_a_sheet_option_for_another_format_is_refused() -> None:
    with pytest.raises(MalformedRequestError, match="sheet= is for xlsx"):
        read(b"text\na\n", "a.csv", sheet="1")


def test_a_sheet_without_a_header_has_all_its_rows() -> None:
    rows, source = read(sheet_of([["하나", 1], ["둘", 2]]), "a.xlsx", header=False, text_column="1")
    assert [row.text for row in rows] == ["하나", "둘"]
    assert source.describe()["columns"] == ["column_1", "column_2"]


@pytest.mark.parametrize("name", ["a.csv", "a.txt", "a.xls"])
def test_an_xlsx_file_is_read_whatever_its_name_says_unless_the_client_insists(name: str) -> None:
    data = sheet_of([["댓글"], ["좋아요"]])
    rows, source = read(data, name)
    assert [row.text for row in rows] == ["좋아요"]
    assert source.describe()["format"] == "xlsx"
    with pytest.raises(MalformedRequestError, match="the file is xlsx, not csv"):
        read(data, name, format="csv")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "old Excel file"),
        (b"<html><body><table><tr><td>text</td></tr></table>", "web page"),
        (b"\xef\xbb\xbf\n<!DOCTYPE html><meta charset=utf-8>", "web page"),
        (b'<?xml version="1.0"?><Workbook>', "web page"),
    ],
)
def test_an_old_excel_file_and_a_web_page_get_one_sentence(data: bytes, says: str) -> None:
    for name in ("a.xls", "a.xlsx"):
        with pytest.raises(UnsupportedMediaError, match=says) as caught:
            read(data, name)
        assert "save it as .xlsx" in str(caught.value)


def test_a_table_of_text_that_is_called_xls_is_read() -> None:
    rows, source = read("번호\t댓글\n1\t좋아요\n".encode("cp949"), "a.xls")
    assert ([row.text for row in rows], source.describe()["format"]) == (["좋아요"], "tsv")


@pytest.mark.parametrize("harm", [lambda data: data[: len(data) // 2], lambda data: b"PK\x03\x04" + b"\0" * 99])
def test_a_damaged_spreadsheet_is_refused(harm: Callable[[bytes], bytes]) -> None:
    with pytest.raises(MalformedRequestError, match=r"not xlsx|damaged"):
        read(harm(sheet_of([["댓글"], ["좋아요"]])), "a.xlsx")


def test_a_zip_of_something_else_is_refused_in_a_sentence() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("comments.csv", "text\na\n")
    with pytest.raises(MalformedRequestError, match="a zip file, not xlsx"):
        read(out.getvalue(), "a.csv")


def test_parquet_values_come_back_to_the_last_digit_also_where_python_has_no_such_date() -> None:
    table = pa.table(
        {
            "text": ["가", None],
            "at": pa.array([2**62, 0], pa.timestamp("us")),
            "ns": pa.array([1_700_000_000_000_000_123, None], pa.timestamp("ns")),
            "big": pa.array([2**64 - 1, 0], pa.uint64()),
            "kind": pa.array(["a", "b"]).dictionary_encode(),
            "list": [["x"], None],
        }
    )
    out = io.BytesIO()
    parquet.write_table(table, out)
    rows, source = read(out.getvalue(), "a.parquet")
    assert [row.error.code if row.error else row.text for row in rows] == ["가", "not_a_string"]
    assert b"18446744073709551615" in bytes(memoryview(rows[0].fields))
    assert fields_of(rows[0])[1] == "+148108-07-06T14:00:27.387904"
    assert fields_of(rows[0])[2] == "2023-11-14T22:13:20.000000123"
    assert fields_of(rows[0])[4:] == ["a", ["x"]]
    assert source.describe()["column_types"] == [
        "string",
        "timestamp[us]",
        "timestamp[ns]",
        "uint64",
        "string",
        "string",
    ]


def test_a_broken_page_of_parquet_is_the_files_fault() -> None:
    out = io.BytesIO()
    parquet.write_table(pa.table({"text": ["가나다"] * 1_000}), out, compression="zstd", use_dictionary=False)
    data = bytearray(out.getvalue())
    data[30:200] = bytes(170)
    with pytest.raises((MalformedRequestError, TooLargeError)):
        read(bytes(data), "a.parquet")


@pytest.fixture
def children() -> list[psutil.Process]:
    return psutil.Process().children()


def test_no_process_is_left_when_the_rows_are_not_wanted(children: list[psutil.Process]) -> None:
    options = UploadOptions()
    data = sheet_of([["댓글"], *[[f"글 {number}"] for number in range(5_000)]])
    source = open_file(pieces_of(data), "xlsx", options, Settings())
    next(source.rows)
    source.close()
    assert psutil.Process().children() == children


def test_a_process_that_dies_without_a_word_is_no_end_of_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    start = confined.start

    def started(module: str, *arguments: str, stdin: Any) -> Any:
        process = start("tests.no_such_module", *arguments, stdin=stdin)
        process.wait()
        return process

    monkeypatch.setattr(confined, "start", started)
    with pytest.raises(TooLargeError, match="too much memory"):
        read(sheet_of([["댓글"], ["좋아요"]]), "a.xlsx")


def test_an_empty_sheet_before_the_first_one_with_cells_is_passed_over() -> None:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        book.add_worksheet("Sheet1")
        book.add_worksheet("댓글").write_column(0, 0, ["댓글", "좋아요"])
    assert [row.text for row in read(out.getvalue(), "a.xlsx")[0]] == ["좋아요"]
    with pytest.raises(MalformedRequestError, match="the sheet is empty"):
        read(out.getvalue(), "a.xlsx", sheet="Sheet1")


def test_a_title_above_the_names_of_a_sheets_columns_is_refused_and_says_what_to_do() -> None:
    data = sheet_of([["2024년 댓글 보고서"], [], ["번호", "댓글"], [1, "좋아요"]])
    with pytest.raises(MalformedRequestError, match="say header_row=3"):
        read(data, "a.xlsx")
    assert [row.text for row in read(sheet_of([["의견란"], ["좋아요"]]), "a.xlsx")[0]] == ["좋아요"]


def test_text_that_is_called_xlsx_is_refused_with_what_to_do() -> None:
    with pytest.raises(MalformedRequestError, match=r"not xlsx, whatever its name says; open it in Excel"):
        read("번호,댓글\n1,좋아요\n".encode("cp949"), "a.xlsx")


def test_a_formula_that_fails_is_no_text_to_judge() -> None:
    rows, _ = read(sheet_of([["댓글", "값"], ["#REF!", 1], ["좋아요", "#N/A"]]), "a.xlsx")
    assert [row.error.code if row.error else None for row in rows] == ["spreadsheet_error", None]
    assert rows[0].error is not None
    assert "row 2 holds #REF!" in rows[0].error.message
    assert fields_of(rows[0]) == [None, 1]
