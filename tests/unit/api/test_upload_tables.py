"""Tables as people have them: lost quotes, names of columns, separators, more columns than anybody needs."""

import unicodedata

import msgspec
import pytest

from api.uploads.columns import MAX_COLUMNS, MAX_HEADER_CHARS
from api.uploads.csv_records import MAX_CELL_LINES, CsvRecords
from shared.errors import MalformedRequestError, TooLargeError
from tests.unit.api.test_upload_encodings import read


def outcomes(text: str, file_format: str = "csv", **options: object) -> list[tuple[int, str | None]]:
    rows, _ = read(text.encode(), file_format, **options)
    return [(row.line, row.error.code if row.error else row.text) for row in rows]


def test_a_quote_that_is_never_closed_costs_its_own_line() -> None:
    assert outcomes('id,text\n1,"안녕하세요\n2,반갑습니다\n3,"좋아요"\n4,끝\n') == [
        (2, "malformed_csv"),
        (3, "반갑습니다"),
        (4, "좋아요"),
        (5, "끝"),
    ]


@pytest.mark.parametrize(
    "lines",
    [['1,"안녕"하세요', "2,좋아요"], ['1,"안녕', '2,"좋아요"'], ['1,"a', 'b"c', "2,좋아요"]],
)
def test_text_after_a_closing_quote_is_an_error_that_names_the_line(lines: list[str]) -> None:
    rows, _ = read("\n".join(["id,text", *lines]).encode(), "csv")
    assert rows[0].error is not None
    assert (rows[0].line, rows[0].error.code) == (2, "malformed_csv")
    assert rows[0].error.message.startswith("line 2 ")
    assert "closing quote" in rows[0].error.message
    assert rows[-1].text == "좋아요"


def test_a_quoted_cell_over_too_many_lines_is_an_error_and_its_lines_are_read_again() -> None:
    body = "".join(f"{number},글 {number}\n" for number in range(1_000))
    rows = outcomes(f'id,text\n0,"열림\n{body}9,"닫힘"\n')
    assert rows[0] == (2, "malformed_csv")
    assert [text for _, text in rows[1:]] == [f"글 {number}" for number in range(1_000)] + ["닫힘"]


def test_a_quote_that_closes_behind_lines_which_look_like_rows_is_lost_too() -> None:
    body = "".join(f"{number},글 {number}\n" for number in range(20))
    rows = outcomes(f'id,text\n0,"열림\n{body}9,27" 모니터\n')
    assert rows[0] == (2, "malformed_csv")
    assert len(rows) == 22


def test_a_comment_of_many_lines_is_one_row() -> None:
    poem = "\n".join([',""'] * (MAX_CELL_LINES - 1))
    rows = outcomes(f'id,text,x\n1,"{poem}",y\n2,끝,z\n')
    assert [line for line, _ in rows] == [2, MAX_CELL_LINES + 1]
    assert rows[0][1] == poem.replace('""', '"')


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (r'"그가 \"안녕\" 했다"', '그가 "안녕" 했다'),
        (r'"\"인용, 쉼표\""', '"인용, 쉼표"'),
        (r'"끝에 \""', '끝에 "'),
        (r'"역슬래시 \\"', "역슬래시 \\\\"),
        (r'"C:\temp\"', "C:\\temp\\"),
        ('"둘 ""겹"" 따옴표"', '둘 "겹" 따옴표'),
    ],
)
def test_quotes_are_escaped_by_doubling_or_by_a_backslash(cell: str, text: str) -> None:
    assert outcomes(f"id,text,x\n1,{cell},y\n2,다음,z\n") == [(2, text), (3, "다음")]


def test_a_file_that_escapes_by_backslashes_goes_on_with_it() -> None:
    rows = outcomes('id,text\n1,"a \\"b\\" c"\n2,"\\\\ \\"d\\""\n')
    assert rows == [(2, 'a "b" c'), (3, '\\ "d"')]


def test_lost_quotes_in_every_line_take_time_in_proportion_to_the_file() -> None:
    taken = 0

    def lines() -> object:
        nonlocal taken
        for _ in range(60_000):
            taken += 1
            yield 'z","\n'

    records = CsvRecords(lines(), ",")  # type: ignore[arg-type]
    reads = 0
    original = records.line_at

    def counted(place: int) -> str | None:
        nonlocal reads
        reads += 1
        return original(place)

    records.line_at = counted  # type: ignore[method-assign]
    assert all(record.fault for record in records)
    assert taken == 60_000
    assert reads < 10 * taken


@pytest.mark.parametrize(
    "header",
    [
        "댓글내용",
        "댓글 내용",
        "리뷰내용",
        "채팅",
        "Comment Text",
        "comment_text",
        "REVIEW-BODY",
        "채팅 메시지",
        "리뷰상세내용",
        "기타 의견",
        "textOriginal",
        " 댓글 ",
        "상품평",
        "\u1103\u1162\u11ba\u1100\u1173\u11af",
        unicodedata.normalize("NFD", "리뷰 내용"),
    ],
)
def test_the_text_column_is_known_by_the_names_that_people_give_it(header: str) -> None:
    rows, source = read(f"번호,{header},작성자\n1,좋아요,김\n".encode(), "csv")
    assert source.describe()["text_at"] == 1
    assert rows[0].text == "좋아요"


def test_a_name_in_composed_hangul_finds_a_decomposed_header() -> None:
    header = unicodedata.normalize("NFD", "의견란")
    _, source = read(f"a,{header}\n1,좋아요\n".encode(), "csv", text_column="의견란")
    assert source.describe()["text_at"] == 1


@pytest.mark.parametrize("header", ["의견란", "q1", "의견란,", "설문 응답"])
def test_the_only_column_of_a_file_holds_the_text(header: str) -> None:
    assert outcomes(f"{header}\n좋아요\n") == [(2, "좋아요")]


@pytest.mark.parametrize("first", ["좋아요!", "정말 최고의 영화 였어요", "ㅋㅋㅋㅋ 웃겨"])
def test_a_first_line_that_is_a_comment_is_not_lost_as_a_header(first: str) -> None:
    with pytest.raises(MalformedRequestError, match="header=false"):
        read(f"{first}\n별로\n".encode(), "csv")


@pytest.mark.parametrize(("option", "value"), [("text_column", "text"), ("id_column", "text")])
def test_a_name_that_two_columns_have_is_refused_with_their_numbers(option: str, value: str) -> None:
    with pytest.raises(MalformedRequestError, match="columns 1 and 3 have that name") as caught:
        read("text,id,text\n가,1,나\n".encode(), "csv", **{"text_column": "2", option: value})
    assert caught.value.param == option


def test_a_text_column_that_two_columns_could_be_is_asked_for_by_number() -> None:
    with pytest.raises(MalformedRequestError, match="1 'text', 2 'id', 3 'text'"):
        read("text,id,text\n가,1,나\n".encode(), "csv")
    assert outcomes("text,id,text\n가,1,나\n", text_column="3") == [(2, "나")]


@pytest.mark.parametrize("header", [True, False])
def test_columns_are_named_by_number(header: bool) -> None:
    assert outcomes("10,20,30\n1,좋아요,x\n", text_column="2", id_column="1", header=header)[-1] == (2, "좋아요")


@pytest.mark.parametrize("wanted", ["9" * 5_000, "0", "4", "-1", "²", "1.0", "없음"])
def test_a_column_that_is_not_there_is_refused_with_those_that_are(wanted: str) -> None:
    with pytest.raises(MalformedRequestError, match="there is no such column; there are 1 'a', 2 'b'") as caught:
        read(b"a,b\n1,2\n", "csv", text_column=wanted)
    assert len(str(caught.value)) < 300


SAID = [("sep=;", ";"), ("SEP=\t", "\t"), ("sep=\\t", "\t"), ('"sep=,"', ","), ("sep=|;;", "|")]


@pytest.mark.parametrize(("line", "separator"), SAID)
@pytest.mark.parametrize("codec", ["utf-8-sig", "cp949", "utf-16"])
@pytest.mark.parametrize("file_format", ["csv", "tsv", "txt"])
def test_excels_line_is_no_row_and_counts_in_the_numbers_of_lines(
    line: str, separator: str, codec: str, file_format: str
) -> None:
    rows = [["번호", "댓글", "메모"], ["1", "좋아요", "x"], ["2", "별로", "x", "y"], ["3", "네", "x"]]
    table = "\r\n".join([line, *map(separator.join, rows), ""]).encode(codec)
    found, source = read(table, file_format)
    assert [(row.line, row.text) for row in found] == [(3, "좋아요"), (4, None), (5, "네")]
    assert found[1].error is not None
    assert found[1].error.message.startswith("line 4 has 4 cells")
    described = source.describe()
    assert (described["columns"], described["header_row"]) == (rows[0], 2)
    unnamed, _ = read(table, file_format, header=False, text_column="2")
    assert [row.line for row in unnamed] == [2, 3, 4, 5]


def test_the_line_with_the_names_is_counted_with_excels_line() -> None:
    title = "sep=;\n2026년 댓글\n\n번호;댓글\n1;좋아요\n"
    with pytest.raises(MalformedRequestError, match="say header_row=4"):
        outcomes(title)
    assert outcomes(title, header_row=4) == [(5, "좋아요")]
    with pytest.raises(MalformedRequestError, match="line 1 is the sep= line") as caught:
        outcomes(title, header_row=1)
    assert caught.value.param == "header_row"
    assert outcomes("번호,댓글\n1,sep=;\n") == [(2, "sep=;")]
    assert outcomes("sep=;\n", "txt", format="txt") == [(1, "sep=;")]


@pytest.mark.parametrize("line", ["sep=", "sep=\r", 'sep="', "sep=\0", "sep=||", '"sep=;;;|"', "SEP=tab,,"])
def test_a_line_that_should_name_the_separator_and_does_not_is_refused(line: str) -> None:
    for header_row in (None, 2):
        with pytest.raises(MalformedRequestError, match="does not say with one character what separates cells"):
            outcomes(f"{line}\n번호;댓글\n1;좋아요\n", header_row=header_row)


@pytest.mark.parametrize("row", ["1,좋아요,", "1,좋아요,,,", "1,좋아요, , "])
def test_empty_cells_at_the_end_of_a_line_say_nothing(row: str) -> None:
    rows, _ = read(f"id,text\n{row}\n1,좋아요,,x\n".encode(), "csv")
    assert rows[0].text == "좋아요"
    assert msgspec.json.decode(rows[0].fields) == ["1", None]
    assert rows[1].error is not None
    assert rows[1].error.code == "too_many_cells"


@pytest.mark.parametrize("codec", ["utf-16", "utf-8-sig", "cp949"])
def test_what_excel_calls_text_is_a_table_with_tabs(codec: str) -> None:
    data = '번호\t댓글\t메모\r\n1\t"쉼표, 하나\n둘째 줄"\tx\r\n2\t좋아요\t\r\n'.encode(codec)
    rows, source = read(data, "txt")
    assert [row.text for row in rows] == ["쉼표, 하나\n둘째 줄", "좋아요"]
    assert source.describe()["format"] == "tsv"
    lines, _ = read("하나\t탭이 있는 댓글\n둘\n".encode(), "txt")
    assert [row.text for row in lines] == ["하나\t탭이 있는 댓글", "둘"]


@pytest.mark.parametrize("cell", ['"강추"합니다', '"', '"열고 안 닫음', '그가 "최고"래', '"가" "나"'])
def test_quotes_of_a_tsv_that_has_none_around_its_cells_belong_to_the_texts(cell: str) -> None:
    assert outcomes(f"번호\t댓글\t메모\n1\t{cell}\tx\n2\t좋아요\t\n3\t네\t\n", "tsv") == [
        (2, cell),
        (3, "좋아요"),
        (4, "네"),
    ]
    short = outcomes(f'번호\t댓글\t메모\n1\t"가"나\n2\t{cell}\ty\n', "tsv")
    assert short == [(2, "malformed_csv"), (3, cell)]


@pytest.mark.parametrize("separator", [",", ";", "|"])
def test_a_csv_that_is_called_txt_is_a_table(separator: str) -> None:
    rows = ["번호,댓글 내용,작성자", '1,"쉼표, 하나\n둘째 줄",홍', "2,ㅅㅂ,김", "3,좋아요,박,너무 많음"]
    table = "\r\n".join(row if '"' in row else row.replace(",", separator) for row in rows)
    data = table.replace('1,"', f'1{separator}"').replace('",홍', f'"{separator}홍').encode("cp949")
    found, source = read(data, "txt")
    assert [row.text for row in found] == ["쉼표, 하나\n둘째 줄", "ㅅㅂ", None]
    assert source.describe()["format"] == "csv"
    assert len(read(data, "txt", format="txt")[0]) == len(rows) + 1


@pytest.mark.parametrize(
    "lines",
    [
        ["댓글, 리뷰"],
        ["댓글 | 리뷰", "좋아요"],
        ["댓글, 작성자", "좋아요", "네, 그래요", "별로"],
        ["좋아요, 또 살게요!", "네, 댓글"],
        ["안녕, 여러분", "네, 안녕"],
        ["댓글", "하나", "둘"],
    ],
)
def test_lines_of_text_with_commas_stay_lines(lines: list[str]) -> None:
    assert [text for _, text in outcomes("\n".join(lines), "txt")] == lines


def test_a_bar_separates_cells_where_nothing_else_does() -> None:
    assert outcomes("번호|댓글|작성자\n1|쉼표, 하나|홍\n") == [(2, "쉼표, 하나")]
    with pytest.raises(MalformedRequestError, match="say header_row=2"):
        outcomes("2026년 11월\n번호|댓글|작성자\n1|좋아요|홍\n2|별로|김\n")
    assert outcomes("번호,댓글,남|여\n1,좋아요|별로,남\n") == [(2, "좋아요|별로")]
    assert outcomes("댓글\n좋아요|별로\n") == [(2, "좋아요|별로")]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_separator_in_the_names_of_a_header_is_not_the_separator_of_the_file(separator: str) -> None:
    assert outcomes(f"번호,순번{separator}댓글\n1{separator}쉼표, 하나\n") == [(2, "쉼표, 하나")]


@pytest.mark.parametrize(
    "first", [",".join(["c"] * MAX_COLUMNS), "c" * (MAX_HEADER_CHARS + 1), ",".join(["열" * 1_000] * 40)]
)
def test_columns_without_bound_are_refused(first: str) -> None:
    with pytest.raises(TooLargeError, match=r"columns|names"):
        read(f"text,{first}\n가\n".encode(), "csv")


def test_cells_without_bound_are_refused_also_without_a_header() -> None:
    with pytest.raises(TooLargeError, match="601 columns"):
        read(f"가{',' * 600}\n".encode(), "csv", header=False, text_column="1")


@pytest.mark.parametrize("start", ["\r\n \r\n", ",,\r\n", '"","",\r\n\r\n', "sep=,\r\n,,\r\n"])
def test_empty_rows_before_the_names_of_columns_are_passed_over(start: str) -> None:
    rows, source = read((start + "번호,댓글,작성자\r\n1,좋아요,홍\r\n").encode(), "csv")
    assert [row.text for row in rows] == ["좋아요"]
    assert rows[0].line == start.count("\n") + 2
    assert source.describe()["text_column"] == "댓글"
