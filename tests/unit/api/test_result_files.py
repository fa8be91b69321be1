"""Results as files: xlsx with colours and filters, parquet in the types of the input, tables without formulas."""

import csv
import io
import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import openpyxl
import pytest
from pyarrow import parquet

from api.http.caller import Caller
from api.jobs import file_writer
from api.jobs.rendering import JsonLines, Numbered, Table
from api.jobs.result_files import RowSpool
from shared.jobs.records import Job, JobSpec, Row
from shared.verdict import Failure, Outcome, Verdict

LABELS = ["clean", "insult"]
CLEAN = Verdict("clean", 0.98, {"clean": 0.98, "insult": 0.02}, [])
INSULT = Verdict("insult", 0.9, {"clean": 0.1, "insult": 0.9}, ["insult", "hate"])
FAILED = Failure("empty_text", "line 3 is empty")


def job_of(labels: list[str] = LABELS, **spec: Any) -> Job:
    return Job(
        id="job_1", owner="", status="completed", spec=JobSpec(**{"format": "csv", **spec}), total=1, completed=1,
        failed=0, label_counts={}, label_names=labels, times={}, errors=[], rows_per_s=None,
    )  # fmt: skip


def numbered(*rows: tuple[str | None, Any, Outcome]) -> Iterable[Numbered]:
    for number, (text, fields, outcome) in enumerate(rows, start=1):
        yield number, Row(number + 1, text, msgspec.Raw(msgspec.json.encode(fields))), outcome


def write(job: Job, rows: Iterable[Numbered], kind: str, folder: Path) -> Path:
    path = folder / f"results.{kind}"
    with (folder / "spool").open("w+b") as spool:
        renderer = RowSpool(job, spool)
        rest = iter(rows)
        while group := list(itertools.islice(rest, 100)):
            assert renderer.lines(group) == b""
        renderer.write_file(kind, path, Caller())
    return path


def sheet_of(path: Path) -> Any:
    return openpyxl.load_workbook(path).worksheets[0]


def test_a_sheet_of_results_has_its_columns_a_filter_a_frozen_header_and_colours(tmp_path: Path) -> None:
    job = job_of(columns=["번호", "댓글"], text_at=1, column_types=None)
    rows = numbered(("좋아요 🙂", [1, None], CLEAN), ("바보", ["007", None], INSULT), ("", [3.5, None], FAILED))
    sheet = sheet_of(write(job, rows, "xlsx", tmp_path))
    values = [[cell.value for cell in row] for row in sheet.rows]
    assert values == [
        ["번호", "댓글", "classification", "confidence", "labels", "score_clean", "score_insult", "error"],
        [1, "좋아요 🙂", "clean", 0.98, "", 0.98, 0.02, None],
        ["007", "바보", "insult", 0.9, "insult|hate", 0.1, 0.9, None],
        [3.5, "", None, None, None, None, None, "empty_text: line 3 is empty"],
    ]
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A2", "A1:H4")
    colours = [sheet.cell(row, 1).fill.fgColor.rgb for row in (2, 3, 4)]
    assert len(set(colours)) == 3
    assert colours[0] == "00000000"


def test_a_text_in_a_sheet_is_never_a_formula_nor_a_link(tmp_path: Path) -> None:
    texts = ["=1+1", "+SUM(A1)", "@x", "-2", "{=1}", "http://example.com", "=HYPERLINK(1)"]
    sheet = sheet_of(
        write(
            job_of(columns=["=cmd", "text"], text_at=1),
            numbered(*[(t, [t, None], CLEAN) for t in texts]),
            "xlsx",
            tmp_path,
        )
    )
    for row in sheet.iter_rows(max_col=2):
        assert [cell.data_type for cell in row] == ["s", "s"]
        assert all(cell.hyperlink is None for cell in row)
    assert [sheet.cell(row + 2, 2).value for row in range(len(texts))] == texts
    assert sheet.cell(1, 1).value == "=cmd"


def test_a_sheet_loses_no_digit_no_sign_and_cuts_what_no_cell_can_hold(tmp_path: Path) -> None:
    cells = [12_345_678_901_234_567_890, "x" * 40_000, "\x00\x0b_x0041_", "\ufffe\uffff", [1, {"a": 2}]]
    sheet = sheet_of(
        write(
            job_of(columns=["a", "b", "c", "d", "e", "text"], text_at=5),
            numbered(("가", [*cells, None], CLEAN)),
            "xlsx",
            tmp_path,
        )
    )
    back = [sheet.cell(2, column).value for column in range(1, 7)]
    assert back[0] == "12345678901234567890"
    assert (len(back[1]), back[1][-1]) == (32_767, "…")
    assert back[4:] == ['[1,{"a":2}]', "가"]


def test_lines_within_a_cell_end_as_a_spreadsheets_do(tmp_path: Path) -> None:
    rows = numbered(("첫 줄\r\n둘째 줄", [None], CLEAN))
    assert (
        sheet_of(write(job_of(columns=["text"], text_at=0), rows, "xlsx", tmp_path)).cell(2, 1).value
        == "첫 줄\n둘째 줄"
    )


def test_more_rows_than_a_sheet_holds_go_on_in_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_writer, "MAX_SHEET_ROWS", 4)
    head = file_writer.FileHead(
        theirs=["text"], ours=["classification", "confidence", "labels", "error"], types=[], text_at=0, harmless=None
    )
    lines = [msgspec.json.encode([f"글 {number}", "clean", 0.5, [], None]) + b"\n" for number in range(7)]
    file_writer._write_sheet(head, io.BytesIO(b"".join(lines)), tmp_path / "a.xlsx")
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    assert book.sheetnames == ["results", "results 2", "results 3"]
    texts = [[row[0].value for row in sheet.iter_rows(min_row=2)] for sheet in book.worksheets]
    assert texts == [["글 0", "글 1", "글 2"], ["글 3", "글 4", "글 5"], ["글 6"]]
    assert all(sheet.cell(1, 1).value == "text" for sheet in book.worksheets)


def test_a_model_without_a_harmless_class_colours_nothing(tmp_path: Path) -> None:
    verdict = Verdict("negative", 0.9, {"negative": 0.9}, [])
    sheet = sheet_of(write(job_of(["negative"], columns=["text"]), numbered(("가", [None], verdict)), "xlsx", tmp_path))
    assert sheet.cell(2, 1).fill.fgColor.rgb == "00000000"


@pytest.mark.parametrize("kind", ["xlsx", "parquet"])
def test_a_score_stands_below_its_label_also_beside_a_policys_own(kind: str, tmp_path: Path) -> None:
    denied = Verdict("광고", 1.0, {"광고": 1.0, "clean": 0.0, "insult": 0.02}, ["광고"])
    other_model = Verdict("clean", 0.9, {"clean": 0.9, "spam": 0.1}, ["clean"])
    path = write(
        job_of(columns=["text"], text_at=0, column_types=["string"]),
        numbered(("할인쿠폰", [None], denied), ("가", [None], other_model), ("나", [None], FAILED)),
        kind,
        tmp_path,
    )
    if kind == "xlsx":
        names, *rows = sheet_of(path).iter_rows(values_only=True)
    else:
        table = parquet.read_table(path)
        names, rows = tuple(table.column_names), [tuple(row.values()) for row in table.to_pylist()]
    assert names == ("text", "classification", "confidence", "labels", "score_clean", "score_insult", "error")
    assert [row[4:] for row in rows] == [
        (0, 0.02, None),
        (0.9, None, None),
        (None, None, "empty_text: line 3 is empty"),
    ]


@pytest.mark.parametrize("kind", ["xlsx", "parquet"])
def test_results_of_objects_have_a_column_for_each_field_also_for_a_path(kind: str, tmp_path: Path) -> None:
    job = job_of(format="jsonl", columns=["id", "data", "data.text"], text_column="data.text")
    path = write(job, numbered(("좋아요", {"id": 1, "data": {"text": "좋아요"}}, CLEAN)), kind, tmp_path)
    row = (
        [cell.value for cell in sheet_of(path)[2]]
        if kind == "xlsx"
        else list(parquet.read_table(path).to_pylist()[0].values())
    )
    assert [str(cell) for cell in row[:4]] == ["1", '{"text":"좋아요"}', "좋아요", "clean"]


def test_parquet_results_keep_types_and_a_value_out_of_range_costs_types_and_no_row(tmp_path: Path) -> None:
    job = job_of(
        format="parquet", columns=["n", "at", "text"], text_at=2, column_types=["int64", "timestamp[us]", "string"]
    )
    good = [2**62, "2023-11-14T22:13:20", None]
    table = parquet.read_table(
        write(job, numbered(("가", good, CLEAN), ("나", [None, None, None], FAILED)), "parquet", tmp_path)
    )
    assert [str(field.type) for field in table.schema][:3] == ["int64", "timestamp[us]", "string"]
    assert table.column("n").to_pylist() == [2**62, None]
    assert table.column("labels").to_pylist() == [[], None]
    bad = [1, "+148108-07-06T14:00:27.387904", None]
    table = parquet.read_table(write(job, numbered(("가", good, CLEAN), ("나", bad, CLEAN)), "parquet", tmp_path))
    assert table.column("at").to_pylist() == [good[1], bad[1]]


def test_a_protected_table_has_no_formula_in_its_header_either() -> None:
    names = ["=1+1", "+a", "-b", "@c", "\tx", "\ny", "＝1", "text"]
    table = Table(job_of(columns=names, text_at=7), ",", is_safe=True)
    cells = [*names[:-1], None]
    body = table.head() + table.lines(numbered(("＋1", cells, CLEAN)))
    header, row = list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline="")))
    assert header[:8] == ["'" + name for name in names[:-1]] + ["text"]
    assert row[:8] == ["'" + name for name in names[:-1]] + ["'＋1"]
    plain = Table(job_of(columns=names, text_at=7), ",", is_safe=False)
    assert plain.head().decode("utf-8-sig").startswith("=1+1,+a")


def test_a_protected_table_has_no_formula_of_a_policys_label_nor_behind_another_separator() -> None:
    named = Verdict("=1+1", 1.0, {"=1+1": 1.0}, ["=1+1", "@a"])
    table = Table(job_of(columns=["text"], text_at=0), ",", is_safe=True)
    line = table.lines(numbered(("좋아요;=1+1\t=2", [None], named))).decode()
    assert line.startswith('"좋아요;=1+1\t=2","\'=1+1",')
    assert '"\'=1+1|@a"' in line


@pytest.mark.parametrize("unseen", [" ", "\u3000", "\xa0", "\ufeff", "\u200b", "\u202e", "\x00", "\x0b", " \u2060 "])
def test_a_protected_cell_has_no_formula_behind_what_nobody_sees(unseen: str) -> None:
    table = Table(job_of(columns=["text"], text_at=0), ",", is_safe=True)
    for formula in ("=1+1", "＠SUM(1)"):
        body = table.lines(numbered((unseen + formula, [None], CLEAN)))
        assert next(csv.reader(io.StringIO(body.decode(), newline="")))[0] == "'" + unseen + formula
    harmless = table.lines(numbered((unseen + "좋아요 = 최고", [None], CLEAN)))
    assert next(csv.reader(io.StringIO(harmless.decode(), newline="")))[0] == unseen + "좋아요 = 최고"


def test_json_lines_put_a_text_at_a_path_back_in_its_place_and_find_an_id_there() -> None:
    job = job_of(format="jsonl", columns=["data"], text_column="data.text", id_column="data.no")
    line = JsonLines(job).lines(numbered(("좋아요", {"data": {"text": "좋아요", "no": 7}}, CLEAN)))
    shown = msgspec.json.decode(line)
    assert (shown["data"], shown["id"]) == ({"text": "좋아요", "no": 7}, 7)
    assert "data.text" not in shown
