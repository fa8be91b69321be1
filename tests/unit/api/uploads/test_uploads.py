import csv
import gzip
import io
import itertools
import random
from collections.abc import Callable, Iterator

import msgspec
import pytest

from api.uploads.compression import unpacked
from api.uploads.decoding import CUT_BYTES, MAX_ENDLESS_BYTES, Decoded, guess_encoding, split_lines
from api.uploads.multipart import Form
from api.uploads.options import UploadOptions, parse_options
from api.uploads.sources import Source, choose_format, open_file
from shared.errors import MalformedRequestError, TooLargeError, UnsupportedMediaError
from shared.jobs.records import Row
from shared.settings import Settings

SETTINGS = Settings(max_text_chars=1_000, max_job_bytes=1_000_000)


def pieces_of(data: bytes, size: int = 7) -> Iterator[bytes]:
    """In small pieces, so that characters, lines and quotes are cut everywhere."""
    return (data[start : start + size] for start in range(0, len(data), size))


def read(data: bytes, file_format: str, **options: object) -> tuple[list[Row], Source]:
    source = open_file(pieces_of(data), file_format, UploadOptions(**options), SETTINGS)  # type: ignore[arg-type]
    return list(source.rows), source


def fields_of(row: Row) -> object:
    return msgspec.json.decode(row.fields)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949", "utf-16"])
@pytest.mark.parametrize("ascii_rows", [0, 30_000])
def test_the_encoding_is_found_out_however_late_the_first_korean_byte_comes(encoding: str, ascii_rows: int) -> None:
    text = "id,comment\n" + "1,hello there\n" * ascii_rows + "2,안녕하세요 똠방각하\n3,뷁\n"
    source = open_file(pieces_of(text.encode(encoding), 4_096), "csv", UploadOptions(), SETTINGS)
    rows = list(source.rows)
    assert [row.text for row in rows[-2:]] == ["안녕하세요 똠방각하", "뷁"]
    assert all(row.error is None for row in rows)
    assert source.describe()["encoding"] == {"utf-8-sig": "utf-8", "utf-16": "utf-16-le"}.get(encoding, encoding)


def test_a_sample_that_ends_within_a_character_is_still_that_encoding() -> None:
    assert guess_encoding(["가나다라마".encode()[:-1]]) == "utf-8"
    assert guess_encoding(["가나다라".encode("cp949")[:-1]]) == "cp949"


def test_a_byte_that_does_not_fit_makes_an_error_row_of_its_line_alone() -> None:
    lines = [f"{number}번째 댓글".encode() for number in range(20_000)]
    lines[15_000] = b"\xff\xfe broken"
    source = open_file(pieces_of(b"\n".join(lines), 65_536), "txt", UploadOptions(), SETTINGS)
    rows = list(source.rows)
    assert len(rows) == 20_000
    assert [row.line for row in rows if row.error is not None] == [15_001]
    assert rows[15_000].error is not None
    assert rows[15_000].error.code == "invalid_encoding"


def test_a_bad_byte_in_another_column_makes_an_error_row_too_and_the_rest_stays_readable() -> None:
    data = "comment,name\n가,".encode() + b"\xff" + ",\n나,다\n".replace(",\n", "\n").encode()
    rows, _ = read(data, "csv")
    assert [row.error.code if row.error else None for row in rows] == ["invalid_encoding", None]
    assert rows[0].text == "가"


def test_a_quoted_cell_may_hold_line_feeds_separators_and_quotes_and_lines_are_counted() -> None:
    rows, source = read('번호,댓글\r\n1,"첫 줄\n둘째, ""줄"""\r\n2,🙂\r\n3,\r\n'.encode(), "csv")
    assert [row.text for row in rows] == ['첫 줄\n둘째, "줄"', "🙂", ""]
    assert [row.line for row in rows] == [2, 4, 5]
    assert [fields_of(row) for row in rows] == [["1", None], ["2", None], ["3", None]]
    assert rows[2].error is not None
    assert rows[2].error.code == "empty_text"
    assert source.describe()["columns"] == ["번호", "댓글"]


def test_any_table_that_the_standard_library_writes_is_read_back() -> None:
    chance = random.Random(5)
    alphabet = ["가", "나", ",", '"', "\n", "\r\n", " ", "🙂", "\u2028", "\x0b", "'", ";", "\t"]
    table = [["x" + "".join(chance.choices(alphabet, k=chance.randrange(12))) for _ in range(3)] for _ in range(500)]
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["a", "text", "b"], *table])
    rows, _ = read(text.getvalue().encode(), "csv")
    assert [row.text for row in rows] == [cells[1] for cells in table]
    assert [fields_of(row) for row in rows] == [[cells[0], None, cells[2]] for cells in table]


def test_a_row_with_too_many_cells_is_an_error_and_one_with_too_few_is_filled_up() -> None:
    rows, _ = read("text,a,b\n글,1\n글,1,2,3\n".encode(), "csv")
    assert fields_of(rows[0]) == [None, "1", ""]
    assert rows[1].error is not None
    assert rows[1].error.message.startswith("line 3 has 4 cells")
    assert fields_of(rows[1]) == "글,1,2,3"


def test_a_lost_quote_costs_its_own_line_however_long_the_file_is() -> None:
    filler = "줄,글\n" * 300_000
    source = open_file(pieces_of(f'a,text\n1,"열린\n{filler}'.encode(), 65_536), "csv", UploadOptions(),
                       Settings(max_job_bytes=10_000_000))  # fmt: skip
    rows = list(source.rows)
    assert rows[0].error is not None
    assert rows[0].error.message.startswith("line 2 opens a quoted cell")
    assert [row.text for row in rows[1:]] == ["글"] * 300_000


@pytest.mark.parametrize(
    ("header", "named", "place"),
    [("id,댓글", None, 1), ("Comment,x", None, 0), ("본문아님,x", "x", 1), ("a,b", "2", 1), ("text,댓글", "댓글", 1)],
)
def test_the_text_column_is_found_or_named(header: str, named: str | None, place: int) -> None:
    _, source = read(f"{header}\n가,나\n".encode(), "csv", text_column=named)
    assert source.describe()["text_at"] == place


@pytest.mark.parametrize("header", ["a,b", "text,댓글", "이 줄은 제목이 아니라 댓글"])
def test_when_it_is_not_plain_which_column_holds_the_text_the_file_is_refused(header: str) -> None:
    with pytest.raises(MalformedRequestError, match="text_column=NAME"):
        read(f"{header}\n가,나\n".encode(), "csv")


def test_without_a_header_no_row_is_lost() -> None:
    rows, source = read("첫 댓글\n둘째\n".encode(), "csv", header=False)
    assert [row.text for row in rows] == ["첫 댓글", "둘째"]
    assert source.describe()["columns"] == ["column_1"]


def test_jsonl_keeps_every_field_as_it_was_written_and_names_the_broken_lines() -> None:
    lines = ['{"id": 1, "text": "가", "price": 1.10, "big": 123456789012345678901}', "{broken", "", '"한 줄"', "[1]",
             '{"id": 2}', '{"text": 7}', '{"text": "\\ud800"}']  # fmt: skip
    rows, source = read("\n".join(lines).encode(), "jsonl")
    assert bytes(memoryview(rows[0].fields)) == b'{"id":1,"text":null,"price":1.10,"big":123456789012345678901}'
    assert [(row.line, row.error.code if row.error else row.text) for row in rows] == [
        (1, "가"), (2, "malformed_json"), (4, "한 줄"), (5, "not_a_string"), (6, "no_text"), (7, "not_a_string"),
        (8, "invalid_unicode"),
    ]  # fmt: skip
    assert source.describe()["columns"] == ["id", "text", "price", "big"]


def test_plain_lines_end_at_a_line_feed_and_nowhere_else() -> None:
    rows, _ = read("하나\u2028여전히\x0b하나\r\n\n 둘".encode(), "txt")
    assert [(row.line, row.text) for row in rows] == [(1, "하나\u2028여전히\x0b하나"), (3, " 둘")]


def test_a_line_without_end_does_not_fill_the_memory() -> None:
    pieces = itertools.chain([b"x" * (1 << 20)] * 20, [b"y\nz\n"])
    lines = list(split_lines(pieces, ends_at_cr=False))
    assert [len(lines[0]), lines[1]] == [CUT_BYTES, b"z\n"]


@pytest.mark.parametrize(
    ("file_format", "begin", "more"),
    [("txt", b"", b"a" * (1 << 20)), ("csv", b"text\n", b"a" * (1 << 20)), ("json", b'["a", "', b"a" * (1 << 20))],
)
def test_a_line_or_item_that_does_not_end_is_no_file_of_texts(file_format: str, begin: bytes, more: bytes) -> None:
    taken: list[int] = []

    def endless() -> Iterator[bytes]:
        yield begin
        while True:
            taken.append(len(more))
            yield more

    with pytest.raises(TooLargeError, match="does not end within 33,554,432 bytes"):
        list(open_file(endless(), file_format, UploadOptions(), SETTINGS).rows)
    assert sum(taken) <= MAX_ENDLESS_BYTES + 2 * len(more)


def test_a_gigabyte_of_blank_lines_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.uploads.decoding.MAX_BLANK_LINES", 1_000)

    with pytest.raises(TooLargeError, match="lines are blank"):
        list(open_file(itertools.repeat(b" \n" * 100), "txt", UploadOptions(), SETTINGS).rows)
    rows, _ = read(("하나\n" + "\n" * 19).encode() * 500, "txt")
    assert len(rows) == 500


def test_a_line_of_half_a_million_cells_is_not_taken_apart() -> None:
    wide = "b," * 500_000

    with pytest.raises(TooLargeError, match="more than 100,000 cells; at most 512 columns are read"):
        open_file(pieces_of(f"text,{wide}\n".encode(), 4_096), "csv", UploadOptions(), SETTINGS)
    data = f'text,id\n하나,1\n{wide}\n"{wide}\n둘,2\n'.encode()
    rows = list(open_file(pieces_of(data, 4_096), "csv", UploadOptions(), SETTINGS).rows)
    assert [(row.text, row.error and row.error.code) for row in rows] == [
        ("하나", None), (None, "malformed_csv"), (None, "malformed_csv"), ("둘", None)
    ]  # fmt: skip
    assert rows[1].error is not None
    assert rows[1].error.message == "line 3 has more than 100,000 cells"


def test_gzip_is_unpacked_whatever_its_name_also_when_it_has_several_members() -> None:
    packed = gzip.compress("하나\n".encode()) + gzip.compress("둘\n".encode()) + b"\0" * 10
    rows, _ = read(packed, "txt")
    assert [row.text for row in rows] == ["하나", "둘"]


def test_a_gzip_bomb_is_stopped_at_the_limit() -> None:
    bomb = gzip.compress(b"a" * 50_000_000)
    sizes: list[int] = []
    with pytest.raises(TooLargeError, match="MAX_JOB_BYTES"):
        sizes.extend(map(len, unpacked(pieces_of(bomb, 1_000), 1_000_000)))
    assert 0 < sum(sizes) <= 1_000_000


@pytest.mark.parametrize("harm", [lambda data: data[:-9], lambda data: data[:40] + b"\x00\x01\x02" + data[43:]])
def test_a_damaged_gzip_file_is_refused(harm: Callable[[bytes], bytes]) -> None:
    data = gzip.compress(random.Random(1).randbytes(1_000))
    with pytest.raises(MalformedRequestError, match="gzip"):
        list(unpacked(pieces_of(harm(data)), 1_000_000))


def form_of(*parts: tuple[str, str, bytes], boundary: str = "limit") -> bytes:
    body = b""
    for name, extra, data in parts:
        body += (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'.encode() + data + b"\r\n"
        )
    return body + f"--{boundary}--\r\n".encode()


def test_a_form_is_read_as_a_stream_with_fields_before_and_after_the_file() -> None:
    content = b"--limi\r\n--lim-it\r\n\r\n--" * 100
    body = form_of(
        ("text_column", "", b"a"),
        ("file", '; filename="\xeb\x8c\x93\xea\xb8\x80.csv"', content),
        ("metadata", "", b"{}"),
    )
    form = Form(pieces_of(body, 5), "multipart/form-data; boundary=limit")
    form.read_head()
    assert form.fields == {"text_column": "a"}
    assert b"".join(form.file_pieces()) == content
    assert form.fields == {"text_column": "a", "metadata": "{}"}
    assert form.file_name == "댓글.csv"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (form_of(("other", "", b"x")), "multipart/form-data; boundary=limit"),
        (form_of(("file", '; filename="a"', b"x"))[:-6], "multipart/form-data; boundary=limit"),
        (form_of(("file", "", b"x"), ("file", "", b"y")), "multipart/form-data; boundary=limit"),
        (b"not a form", "multipart/form-data; boundary=limit"),
        (b"", "multipart/form-data"),
    ],
)
def test_a_malformed_form_is_refused(body: bytes, content_type: str) -> None:
    def read_whole() -> None:
        form = Form(pieces_of(body), content_type)
        form.read_head()
        list(form.file_pieces())

    with pytest.raises(MalformedRequestError):
        read_whole()


def test_a_forms_fields_cannot_fill_the_memory() -> None:
    body = form_of(("metadata", "", b"x" * 100_000), ("file", "", b"y"))
    with pytest.raises(TooLargeError):
        Form(pieces_of(body, 1_000), "multipart/form-data; boundary=limit").read_head()


@pytest.mark.parametrize(
    ("option", "name", "media_type", "expected"),
    [(None, "a.CSV.gz", "", "csv"), ("txt", "a.csv", "", "txt"), (None, None, "application/x-ndjson", "jsonl"),
     (None, "a.bin", "text/plain", "txt"), (None, "b.parquet", "", "parquet"), (None, "c.XLSX", "", "xlsx"),
     (None, None, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
     (None, "d.json", "", "json")],
)  # fmt: skip
def test_the_format_is_as_said_or_by_name_or_by_content_type(
    option: str | None, name: str | None, media_type: str, expected: str
) -> None:
    assert choose_format(UploadOptions(format=option), name, media_type) == expected


def test_a_file_of_no_known_format_is_refused_with_the_formats() -> None:
    with pytest.raises(UnsupportedMediaError, match="csv, tsv, jsonl"):
        choose_format(UploadOptions(), "a.hwp", "application/x-www-form-urlencoded")


@pytest.mark.parametrize(
    "fields",
    [{"text_colum": "a"}, {"format": "hwp"}, {"header": "perhaps"}, {"metadata": "{"}, {"metadata": '{"a": 1}'},
     {"metadata": {"a": "b" * 600}}],
)  # fmt: skip
def test_an_option_that_cannot_be_followed_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(MalformedRequestError):
        parse_options(fields)


def test_an_unknown_encoding_is_refused() -> None:
    for name in ("klingon", "base64"):
        with pytest.raises(MalformedRequestError, match="encoding"):
            Decoded(iter([b""]), name)
