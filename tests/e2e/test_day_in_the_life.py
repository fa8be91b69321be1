"""A moderator's day: a sheet of comments from Excel goes in, the same sheet comes out with verdicts."""

import datetime as dt
import io
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openpyxl
import pytest
import xlsxwriter

from tests.e2e.test_run import Run
from tests.support.jobs import finish

COMMENTS = [
    "이 영화 정말 재미있었어요! 🙂",
    "야 이 씨발 새끼야 꺼져",
    "배송이 너무 늦어요,\n두 번째 줄",
    "=1+1 은 2",
    "뷁 똠방각하 펲",
    '"따옴표"',
]
HEADER = ["번호", "댓글 내용", "작성일", "금액"]


def sheet_from_excel() -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False}) as book:
        day, money = book.add_format({"num_format": 'yyyy"년" m"월" d"일"'}), book.add_format({"num_format": "#,##0"})
        sheet = book.add_worksheet("8월 댓글")
        sheet.write_row(0, 0, HEADER)
        for row, text in enumerate(COMMENTS, start=1):
            sheet.write_number(row, 0, row)
            sheet.write_string(row, 1, text)
            sheet.write_datetime(row, 2, dt.datetime(2024, 8, row), day)
            sheet.write_number(row, 3, 12_000 * row, money)
    return out.getvalue()


def rows_of(path: Path) -> list[list[Any]]:
    return [[cell.value for cell in row] for row in openpyxl.load_workbook(path).worksheets[0].rows]


def results_of_the_day(run: Run, folder: Path) -> Path:
    file = {
        "file": (
            "8월 댓글.xlsx",
            sheet_from_excel(),
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        )
    }
    answer = httpx.post(f"{run.url}/jobs", files=file, timeout=60)
    assert answer.status_code == 202, answer.text
    job = finish(run, answer.json())
    assert (job["format"], job["text_column"], job["request_counts"]["failed"]) == ("xlsx", "댓글 내용", 0)
    results = httpx.get(f"{run.url}/jobs/{job['id']}/results", timeout=60)
    assert results.status_code == 200, results.text
    assert "8%EC%9B%94%20%EB%8C%93%EA%B8%80.results.xlsx" in results.headers["content-disposition"]
    path = folder / "results.xlsx"
    path.write_bytes(results.content)
    return path


@pytest.fixture
def run(short_tmp: Path) -> Iterator[Run]:
    running = Run(short_tmp)
    yield running.wait_ready()
    running.end()


@pytest.mark.e2e
def test_a_sheet_of_comments_comes_back_with_its_rows_columns_and_hangul_and_verdicts(run: Run, tmp_path: Path) -> None:
    header, *rows = rows_of(results_of_the_day(run, tmp_path))

    assert header[:7] == [*HEADER, "classification", "confidence", "labels"]
    assert [row[:4] for row in rows] == [
        [number, text, f"2024년 8월 {number}일", f"{12_000 * number:,}"]
        for number, text in enumerate(COMMENTS, start=1)
    ]
    assert (rows[0][4], rows[1][4]) == ("clean", "curse")
    assert all(isinstance(row[5], int | float) for row in rows)  # a sheet knows no difference between 1 and 1.0


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice (soffice) is not installed")
def test_the_results_open_in_libreoffice_with_every_row(run: Run, tmp_path: Path) -> None:
    path = results_of_the_day(run, tmp_path)
    convert(path, "ods", tmp_path)
    convert(tmp_path / "results.ods", "xlsx:Calc MS Excel 2007 XML", tmp_path / "again")
    again = rows_of(tmp_path / "again" / "results.xlsx")
    assert [row[:2] for row in again] == [row[:2] for row in rows_of(path)]


def convert(path: Path, to: str, folder: Path) -> None:
    profile = f"-env:UserInstallation=file://{path.parent}/profile"
    command = ["soffice", "--headless", profile, "--convert-to", to, "--outdir", str(folder), str(path)]
    subprocess.run(command, check=True, timeout=110, capture_output=True)
