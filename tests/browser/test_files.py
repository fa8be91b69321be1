"""Files in the console: as Excel leaves them, of a wrong kind, and while they are judged."""

import csv
import io
import json
import os
import zipfile
from pathlib import Path

import httpx
import openpyxl
import pytest
from playwright.sync_api import expect

from api.jobs.preview import MAX_PREVIEW_BYTES
from tests.browser.test_console import CURSE, Open, start, upload
from tests.support.stack import Stack

pytestmark = pytest.mark.browser


def sheet(rows: list[list[str]]) -> bytes:
    book = openpyxl.Workbook(write_only=True)
    page = book.create_sheet("댓글")
    for row in rows:
        page.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_a_sheet_of_5000_rows_is_judged_filtered_and_downloaded(open_page: Open, stack: Stack, tmp_path: Path) -> None:
    rows = [[str(n), f"{CURSE} {n}" if n % 10 == 0 else f"오늘도 좋은 하루 보내세요 {n}"] for n in range(1, 5_001)]
    page = open_page("#files")
    upload(page, "댓글 모음.xlsx", sheet([["번호", "댓글"], *rows]))
    expect(page.locator("table.small th.chosen")).to_have_text("댓글")
    start(page)
    expect(page.get_by_text("끝남")).to_be_visible(timeout=90_000)
    job = page.url.rpartition("/")[2]
    curses = httpx.get(f"{stack.url}/jobs/{job}/results?format=jsonl&own_columns=false&label=curse", timeout=60).text
    expected = [str(json.loads(line)["row"]) for line in curses.splitlines()]
    assert len(expected) > 400

    page.get_by_role("combobox", name="판정", exact=True).select_option("curse")
    expect(page.locator("table.results tbody tr").first.locator("td").first).to_have_text(expected[0])
    expect(page.locator("table.results tbody tr")).to_have_count(50)
    page.get_by_role("button", name="다음").click()
    expect(page.locator("table.results tbody tr").first.locator("td").first).to_have_text(expected[50])
    page.get_by_label("글에서 찾기").fill(expected[-1])
    expect(page.locator("table.results tbody tr")).to_have_count(1)
    with page.expect_download() as begun:
        page.get_by_role("button", name="전체 (csv)").click()
    begun.value.save_as(tmp_path / "out.csv")
    whole = httpx.get(f"{stack.url}/jobs/{job}/results?format=csv&safe=true", timeout=60).content
    assert (tmp_path / "out.csv").read_bytes() == whole
    assert [row[:2] for row in csv.reader(io.StringIO(whole.decode("utf-8-sig")))][1:] == rows


def test_a_reload_in_the_middle_goes_on_and_a_job_can_be_stopped(open_page: Open, stack: Stack) -> None:
    page = open_page("#files")
    upload(page, "많은 댓글.txt", "\n".join(f"안녕하세요 반갑습니다 {n}" for n in range(60_000)).encode())
    start(page)
    expect(page.get_by_text("판정 중")).to_be_visible()
    page.reload()

    expect(page.get_by_text("판정 중")).to_be_visible()
    page.get_by_role("button", name="멈추기").click()
    expect(page.get_by_text("취소됨")).to_be_visible()
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="지우기").click()
    expect(page.get_by_role("heading", name="지난 파일")).to_be_visible()


def test_a_file_of_a_wrong_kind_is_refused_in_words_that_help(open_page: Open) -> None:
    page = open_page("#files")
    upload(page, "사진.xlsx", b"\x89PNG\r\n\x1a\n" + b"\0" * 500)

    expect(page.get_by_role("alert").first).to_contain_text("xlsx")
    expect(page.locator(".problem small").first).to_contain_text("xlsx 파일이 아닙니다.")
    page.get_by_role("button", name="다른 파일").click()
    expect(page.get_by_text("파일을 여기에 놓거나")).to_be_visible()


def test_any_sheet_of_a_workbook_can_be_judged_and_none_that_is_hidden(open_page: Open) -> None:
    book = openpyxl.Workbook()
    book.active.title = "안내 & 표지"
    book.active.append(["11월 댓글 모음입니다"])
    book.active.append(["만든 사람", "운영팀"])
    for title, rows in (
        ("2026", [["날짜", "댓글"], ["1일", "첫 댓글"]]),
        ("숨김", [["댓글"], ["안 보임"]]),
        ("질문", [["댓글"], ["질문 있어요"], [""], [None], ["또 질문"]]),
    ):
        page_of_book = book.create_sheet(title)
        for row in rows:
            page_of_book.append(row)
    book["숨김"].sheet_state = "hidden"
    out = io.BytesIO()
    book.save(out)

    page = open_page("#files")
    upload(page, "시트 여럿.xlsx", out.getvalue())
    expect(page.get_by_role("alert")).to_contain_text("제목이라면 '열 이름이 있는 줄'에 줄 번호를 적어 주세요")
    expect(page.get_by_role("alert")).not_to_contain_text("댓글이 어느 열에")
    sheets = page.get_by_role("combobox", name="시트")
    expect(sheets.locator("option")).to_have_text(["내용이 있는 첫 시트", "안내 & 표지", "2026", "질문"])
    sheets.select_option("2026")
    expect(page.locator("table.small td.chosen")).to_have_text("첫 댓글")
    expect(page.get_by_role("alert")).to_have_count(0)
    sheets.select_option("안내 & 표지")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.locator("table.small")).to_have_count(0)
    sheets.select_option("질문")
    expect(page.locator("table.small td.chosen").first).to_have_text("질문 있어요")
    start(page)
    expect(page.locator("table.results tbody tr").last).to_contain_text("또 질문")
    expect(page.locator("table.results tbody tr")).to_have_count(2)


def test_a_title_above_the_names_of_columns_is_seen_and_one_click_reads_below_it(open_page: Open) -> None:
    above = [["2026년 11월 댓글 목록"], [], ["작성일: 2026-11-27"]]
    page = open_page("#files")
    upload(page, "보고서.xlsx", sheet([*above, ["번호", "댓글"], ["1", "안녕하세요"], ["2", ""], ["3", CURSE]]))
    expect(page.get_by_role("alert")).to_contain_text("1번째 줄은 제목이고 열 이름은 4번째 줄에 있는 듯합니다")
    page.get_by_role("button", name="열 이름이 4번째 줄에 있습니다").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    line = page.get_by_label("열 이름이 있는 줄")
    expect(line).to_have_value("4")
    expect(page.locator("table.small th.chosen")).to_have_text("댓글")
    expect(page.locator("table.small tbody td").first).to_have_text("5")

    line.fill("2")
    line.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("2번째 줄은 비어 있습니다")
    line.fill("4")
    line.press("Enter")
    expect(page.locator("table.small td.chosen").first).to_have_text("안녕하세요")
    start(page)
    expect(page.locator("table.results tbody tr")).to_have_count(3)
    expect(page.locator("table.results tbody tr").nth(1)).to_contain_text("파일의 6번째 줄")


def test_of_a_workbook_too_large_to_look_into_the_line_with_the_names_can_be_said(open_page: Open) -> None:
    data = io.BytesIO(sheet([["2026년 11월 댓글 목록"], ["번호", "댓글"], ["1", "안녕하세요"], ["2", CURSE]]))
    with zipfile.ZipFile(data, "a") as book:
        # A picture, as reports have them; it has no cells.
        book.writestr("xl/media/image1.png", os.urandom(MAX_PREVIEW_BYTES))
    page = open_page("#files")
    upload(page, "그림이 든 보고서.xlsx", data.getvalue())
    expect(page.get_by_text("미리 볼 수 없")).to_be_visible()
    start(page)
    expect(page.get_by_role("alert")).to_contain_text("열 이름은 2번째 줄에 있는 듯합니다")
    page.get_by_role("button", name="열 이름이 2번째 줄에 있습니다").click()
    expect(page.get_by_label("열 이름이 있는 줄")).to_have_value("2")
    start(page)
    expect(page.locator("table.results tbody tr")).to_have_count(2)


def test_a_text_file_with_a_title_above_its_table_is_read_by_one_click(open_page: Open) -> None:
    page = open_page("#files")
    rows = ["11월 댓글\t", "", "번호\t댓글", "1\t안녕하세요", f"2\t{CURSE}", ""]
    upload(page, "엑셀 텍스트.txt", "\r\n".join(rows).encode("cp949"))
    expect(page.get_by_role("alert")).to_contain_text("1번째 줄은 제목이고 열 이름은 3번째 줄에 있는 듯합니다")
    page.get_by_role("button", name="열 이름이 3번째 줄에 있습니다").click()
    expect(page.locator("table.small td.chosen").first).to_have_text("안녕하세요")
    expect(page.get_by_label("열 이름이 있는 줄")).to_have_value("3")


def test_a_chat_that_kakaotalk_saved_is_judged_message_by_message(open_page: Open) -> None:
    messages = [f"[홍길동] [오후 3:0{n}] {text}" for n, text in enumerate(("안녕하세요", CURSE, "네"))]
    page = open_page("#files")
    head = ["모임 님과 카카오톡 대화", "저장한 날짜 : 2026-11-27 16:20:11", "", "이영희님이 나갔습니다."]
    upload(page, "KakaoTalk.txt", "\r\n".join([*head, *messages]).encode("utf-8-sig"))
    expect(page.locator("table.small th.chosen")).to_have_text("메시지")
    expect(page.locator("table.small tbody tr")).to_have_count(3)
    start(page)
    expect(page.locator("table.results tbody tr")).to_have_count(3)
    expect(page.locator("table.results tbody tr").nth(1)).to_contain_text("욕설")
    expect(page.locator("table.results tbody tr").nth(1)).to_contain_text(CURSE)


def test_a_table_is_read_from_its_first_line_or_without_names_as_the_moderator_says(open_page: Open) -> None:
    page = open_page("#files")
    upload(page, "표.csv", "번호,댓글\n1,안녕하세요\n2,반갑습니다\n".encode())
    line = page.get_by_label("열 이름이 있는 줄")
    expect(line).to_have_value("1")
    page.get_by_label("열 이름 있음").uncheck()
    expect(line).to_have_count(0)
    page.get_by_role("textbox", name="댓글이 있는 열").fill("2")
    page.get_by_role("textbox", name="댓글이 있는 열").press("Enter")
    expect(page.locator("table.small td.chosen").first).to_have_text("댓글")
    page.get_by_label("열 이름 있음").check()
    expect(page.locator("table.small td.chosen").first).to_have_text("안녕하세요")


def test_a_row_without_a_verdict_names_its_line_of_the_file(open_page: Open) -> None:
    page = open_page("#files")
    upload(page, "빈 칸.xlsx", sheet([["번호", "댓글"], [], ["1", "안녕하세요"], [], ["2", ""], ["3", "반갑습니다"]]))
    start(page)

    row = page.locator("table.results tbody tr").nth(1)
    expect(row.locator("td").first).to_have_text("2")
    expect(row).to_contain_text("글이 비어 있습니다. (파일의 5번째 줄)")


def test_a_column_that_cannot_be_guessed_can_be_typed_and_an_encoding_chosen(open_page: Open) -> None:
    page = open_page("#files")
    upload(page, "표.csv", "닉네임,내용물,등급\n가,안녕하세요,a\n".encode("cp949"))
    expect(page.get_by_role("alert")).to_contain_text("내용물")
    page.get_by_role("textbox", name="댓글이 있는 열").fill("내용물")
    page.get_by_role("textbox", name="댓글이 있는 열").press("Enter")

    expect(page.locator("table.small th.chosen")).to_have_text("내용물")
    expect(page.locator("table.small td.chosen")).to_have_text("안녕하세요")
    page.get_by_role("combobox", name="글자 인코딩").select_option("cp949")
    expect(page.locator("table.small td.chosen")).to_have_text("안녕하세요")
