"""Tables with a title above the names of their columns: told apart, and read from the line that the client names."""

import io
from collections.abc import Callable
from typing import Any

import pytest
import xlsxwriter

from api.uploads.options import MAX_HEADER_ROW, UploadOptions, parse_options
from api.uploads.sources import Source, open_file, open_items
from api.uploads.titles import MAX_TITLE_ROWS
from shared.errors import MalformedRequestError
from shared.jobs.records import Row
from shared.settings import Settings
from tests.unit.api.uploads.test_uploads import pieces_of

SETTINGS = Settings(max_text_chars=1_000, max_job_bytes=64_000_000)
TABLE = [["번호", "댓글", "작성자"], ["1", "좋아요", "홍"], ["2", "별로", "김"]]
Cells = list[list[str]]
Writer = Callable[[Cells], tuple[bytes, str]]


def read(data: bytes, file_format: str, **options: Any) -> tuple[list[Row], Source]:
    said = parse_options(options)
    source = open_file(pieces_of(data), said.format or file_format, said, SETTINGS)
    try:
        return list(source.rows), source
    finally:
        source.close()


def as_csv(rows: Cells) -> tuple[bytes, str]:
    width = max(map(len, rows))
    return "\n".join(",".join([*row, *[""] * (width - len(row))]) for row in rows).encode(), "csv"


def as_ragged_csv(rows: Cells) -> tuple[bytes, str]:
    return "\n".join(",".join(row) for row in rows).encode(), "csv"


def as_semicolons(rows: Cells) -> tuple[bytes, str]:
    return "\r\n".join(";".join(row) for row in rows).encode("cp949"), "csv"


def as_tsv(rows: Cells) -> tuple[bytes, str]:
    return "\n".join("\t".join(row) for row in rows).encode("utf-16"), "tsv"


def as_xlsx(rows: Cells) -> tuple[bytes, str]:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    return out.getvalue(), "xlsx"


WRITERS = [as_csv, as_ragged_csv, as_semicolons, as_tsv, as_xlsx]
ABOVE = [
    pytest.param([["2024년 댓글 목록"]], id="a title"),
    pytest.param([["2024년 댓글 목록"], [], ["작성일: 2024-01-05"]], id="a title, an empty row, a date"),
    pytest.param([[], ["상품 리뷰"], ["작성일", "2024-01-05"], ["부서", "고객지원팀"]], id="names with values"),
    pytest.param([["댓글"], []], id="a title that is a column's usual name"),
    pytest.param([["제목"]] * MAX_TITLE_ROWS, id="ten rows"),
]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("above", ABOVE)
def test_the_line_that_the_refusal_names_makes_the_file_a_job(write: Writer, above: Cells) -> None:
    data, file_format = write([*above, *TABLE])
    names_at = len(above) + 1
    with pytest.raises(MalformedRequestError, match=rf"say header_row={names_at}, else say text_column") as caught:
        read(data, file_format)
    assert caught.value.param == "header_row"

    rows, source = read(data, file_format, header_row=str(names_at))
    assert [(row.line, row.text) for row in rows] == [(names_at + 1, "좋아요"), (names_at + 2, "별로")]
    found = source.describe()
    assert (found["columns"], found["text_column"], found["header_row"]) == (TABLE[0], "댓글", names_at)


@pytest.mark.parametrize("write", WRITERS)
def test_a_text_column_that_only_a_line_below_has_is_found_there(write: Writer) -> None:
    data, file_format = write([["2024년 설문"], ["번호", "하고 싶은 말", "작성자"], ["1", "좋아요", "홍"]])
    with pytest.raises(MalformedRequestError, match="say header_row=2"):
        read(data, file_format, text_column="하고 싶은 말")
    rows, _ = read(data, file_format, text_column="하고 싶은 말", header_row="2")
    assert [(row.line, row.text) for row in rows] == [(3, "좋아요")]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("file", [TABLE, [[], [], *TABLE]])
def test_names_that_are_plain_are_read_without_a_word_and_told(write: Writer, file: Cells) -> None:
    rows, source = read(*write(file))
    assert source.describe()["header_row"] == len(file) - 2
    assert [row.line for row in rows] == [len(file) - 1, len(file)]
    assert read(*write(file), header="false", text_column="2")[1].describe()["header_row"] is None


@pytest.mark.parametrize("write", [as_csv, as_xlsx])
def test_where_it_is_not_plain_which_line_has_the_names_none_is_guessed(write: Writer) -> None:
    data, file_format = write([["보고서"], ["1월"], ["1", "좋아요. 또 살게요", "3"], ["2", "별로!", "4"]])
    with pytest.raises(MalformedRequestError, match="line 1 names one column, and line 3 has more cells") as caught:
        read(data, file_format)
    assert "header_row=NUMBER" in caught.value.message
    assert [row.line for row in read(data, file_format, text_column="1")[0]] == [2, 3, 4]


@pytest.mark.parametrize(
    "table",
    [
        "댓글,,\n좋아요,x,\n",
        "의견란,,\n좋아요,,\n별로,,\n",
        "의견란\n좋아요\n별로\n",
        "댓글\n안녕, 여러분\n좋아요\n별로\n",
    ],
)
def test_an_only_name_above_an_only_column_is_no_title(table: str) -> None:
    assert len(read(table.encode(), "csv")[0]) == table.count("\n") - 1


def test_names_farther_down_than_a_person_would_look_are_not_found_but_can_be_said() -> None:
    data, file_format = as_csv([*[["제목"]] * (MAX_TITLE_ROWS + 1), *TABLE])
    with pytest.raises(MalformedRequestError, match="say header_row=NUMBER"):
        read(data, file_format)
    assert len(read(data, file_format, header_row=MAX_TITLE_ROWS + 2)[0]) == 2


def test_a_line_of_text_tells_no_more_than_its_own_separator_and_names_may_hold_line_ends() -> None:
    data = '"여러 줄\n제목",,\n번호;댓글;쓴 사람\n1;"가\n나";홍\n2;,;김\n'.encode()
    rows, source = read(data, "csv", header_row="3")
    assert [(row.line, row.text) for row in rows] == [(4, "가\n나"), (6, ",")]
    assert source.describe()["columns"] == ["번호", "댓글", "쓴 사람"]
    rows, _ = read('sep=|\n제목\n"댓\n글"|번호\n가|1\n'.encode(), "csv", header_row="3", text_column="1")
    assert [(row.line, row.text) for row in rows] == [(5, "가")]


def test_a_line_at_fault_is_named_as_the_spreadsheet_shows_it() -> None:
    table = [*TABLE, ["3", "넓은", "줄", "이", "다"], ["4", "", "이"]]
    for data, file_format in (as_ragged_csv([["제목"], [], *table]), as_xlsx([["제목"], [], *table])):
        rows, _ = read(data, file_format, header_row="3")
        faults = [(row.error.code, row.error.message.split(" has ")[0][:6]) for row in rows if row.error]
        assert faults[0] in {("too_many_cells", "line 6"), ("too_many_cells", "row 6")}
        assert faults[1][0] == "empty_text"
        assert rows[-1].line == 7


@pytest.mark.parametrize("codec", ["cp949", "utf-8", "utf-16"])
@pytest.mark.parametrize(
    "above", [["2024년 댓글 목록\t\t"], ["2024년 댓글 목록"], ["", '"제목\n둘째 줄"', "", "작성일: 1/5\t"]]
)
def test_a_title_above_what_excel_saves_as_text_is_told_as_above_a_csv(above: list[str], codec: str) -> None:
    table = "\n".join(["\t".join(row) for row in TABLE])
    data = "\n".join([*above, table, ""]).encode(codec)
    names_at = "\n".join(above).count("\n") + 2
    with pytest.raises(
        MalformedRequestError, match=f"say header_row={names_at}, else say text_column=NUMBER"
    ) as caught:
        read(data, "txt")
    assert caught.value.param == "header_row"
    with pytest.raises(MalformedRequestError, match=f"say header_row={names_at}"):
        read(data, "txt", text_column="작성자")

    rows, source = read(data, "txt", header_row=names_at)
    assert [(row.line, row.text) for row in rows] == [(names_at + 1, "좋아요"), (names_at + 2, "별로")]
    assert source.describe()["format"] == "tsv"
    assert len(read(data, "txt", format="txt")[0]) > len(TABLE)


@pytest.mark.parametrize(
    "lines",
    [
        ["오늘의 대화", "홍길동\t안녕하세요", "김철수\t네, 반갑습니다!", "홍길동\t댓글"],
        ["댓글", "이름\t작성일", "홍\t1월"],
        ["안녕하세요", "하나\t둘\t셋", "내용"],
        ["안녕하세요", "x" * 40_000, "번호\t댓글", "1\t좋아요"],
    ],
)
def test_lines_of_text_are_no_table_because_some_have_tabs(lines: list[str]) -> None:
    rows, source = read("\n".join(lines).encode(), "txt")
    assert source.describe()["format"] == "txt"
    assert [row.line for row in rows] == list(range(1, len(lines) + 1))


GROUPS = [["작성자", "", "", "댓글"], ["번호", "이름", "등급", "내용", "날짜"], ["1", "홍", "새싹", "좋아요", "1/5"]]


@pytest.mark.parametrize("write", WRITERS)
def test_headings_of_groups_above_the_names_of_columns_are_told_and_the_lower_line_is_read(write: Writer) -> None:
    data, file_format = write([*GROUPS, ["2", "김", "", "별로", "1/6"]])
    with pytest.raises(MalformedRequestError, match="line 2 has the names of the columns; if so, say header_row=2"):
        read(data, file_format)
    rows, source = read(data, file_format, header_row="2")
    assert [(row.line, row.text) for row in rows] == [(3, "좋아요"), (4, "별로")]
    assert source.describe()["columns"] == GROUPS[1]
    # Whoever says the column has seen which line has the names.
    assert [row.line for row in read(data, file_format, text_column="댓글")[0]] == [2, 3, 4]


@pytest.mark.parametrize("write", WRITERS)
def test_a_column_that_only_the_upper_of_two_header_lines_names_is_kept(write: Writer) -> None:
    data, file_format = write([["번호", "댓글", "", "작성자"], ["", "내용", "날짜", ""], ["1", "좋아요", "1/5", "홍"]])
    rows, source = read(data, file_format, header_row="2")
    assert [row.text for row in rows] == ["좋아요"]
    named = ["column_1", "내용", "날짜", "column_4"] if file_format == "xlsx" else ["", "내용", "날짜", ""]
    assert source.describe()["columns"] == named


@pytest.mark.parametrize("write", WRITERS)
def test_a_column_without_a_name_makes_no_group_of_the_others(write: Writer) -> None:
    rows, _ = read(*write([["", "댓글", "작성자"], ["1", "좋아요", "홍"], ["2", "내용", "김"]]))
    assert [row.text for row in rows] == ["좋아요", "내용"]


@pytest.mark.parametrize(
    "said", ["0", "-1", "abc", "101", "2.5", "９" * 5_000, "1" * 5_000, 0, 101, -3, True, 2.5, 10**30, [1]]
)
def test_a_number_that_no_line_can_have_is_refused_in_words_that_help(said: object) -> None:
    with pytest.raises(MalformedRequestError, match=f"from 1 to {MAX_HEADER_ROW}, as a spreadsheet shows it") as caught:
        parse_options({"header_row": said})
    assert caught.value.param == "header_row"


@pytest.mark.parametrize("said", ["4", " 4 ", 4])
def test_a_number_may_be_text_or_a_number(said: object) -> None:
    assert parse_options({"header_row": said}).header_row == 4


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize(("said", "message"), [("2", "line 2 is empty"), ("100", "the last line is 5")])
def test_a_line_that_is_empty_or_behind_the_last_is_refused(write: Writer, said: str, message: str) -> None:
    with pytest.raises(MalformedRequestError, match=f"header_row={said}: {message}; say the number of the line"):
        read(*write([["제목"], [], *TABLE]), header_row=said)


def test_a_file_without_a_line_is_empty_whatever_is_said() -> None:
    with pytest.raises(MalformedRequestError, match="the file is empty"):
        read(b"", "csv", header_row="2")
    with pytest.raises(MalformedRequestError, match="the sheet is empty"):
        read(*as_xlsx([]), header_row="2")


def test_what_has_no_names_in_a_line_is_refused() -> None:
    for data, file_format in ((b'{"text": "a"}', "jsonl"), (b'["a"]', "json")):
        with pytest.raises(MalformedRequestError, match=f"is for csv, tsv and xlsx; the file is {file_format}"):
            read(data, file_format, header_row="2")
    with pytest.raises(MalformedRequestError, match="the file is txt"):
        read(b"a\nb\n", "txt", format="txt", header_row="1")
    with pytest.raises(MalformedRequestError, match="applies to an uploaded file only"):
        open_items(["a"], UploadOptions(header_row=2), SETTINGS)
    with pytest.raises(MalformedRequestError, match="say one of them"):
        parse_options({"header": "false", "header_row": "2"})
