"""Forms as clients send them: names in every spelling, content types, many parts."""

import pytest

from api.uploads.multipart import MAX_PARTS, Form
from api.uploads.opening import UploadRequest, _charset_of
from shared.errors import MalformedRequestError, TooLargeError
from tests.unit.api.test_upload_encodings import pieces_of

CONTENT_TYPE = "multipart/form-data; boundary=limit"


def form_of(disposition: bytes, headers: bytes = b"", data: bytes = b"abc") -> Form:
    body = b"--limit\r\nContent-Disposition: form-data; " + disposition + b"\r\n" + headers + b"\r\n" + data
    form = Form(pieces_of(body + b"\r\n--limit--\r\n", 5), CONTENT_TYPE)
    form.read_head()
    assert b"".join(form.file_pieces()) == data
    return form


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('name="file"; filename="댓글.csv"'.encode(), "댓글.csv"),
        ('name="file"; filename="댓글.csv"'.encode("cp949"), "댓글.csv"),
        (b"name=file; filename=x.csv; filename*=utf-8''%EB%8C%93%EA%B8%80.csv", "댓글.csv"),
        (b'name="file"; filename*=UTF-8\'ko\'%EB%8C%93%EA%B8%80.csv; filename="x.csv"', "댓글.csv"),
        (b"name=file; filename*=\"utf-8''%EB%8C%93%EA%B8%80.csv\"", "댓글.csv"),
        (b"name=file; filename*=cp949''%B4%F1%B1%DB.csv", "댓글.csv"),
        (b'name="file"; filename="=?utf-8?B?64yT6riALmNzdg==?="', "댓글.csv"),
        (b"name=file; filename==?utf-8?Q?=EB=8C=93=EA=B8=80.csv?=", "댓글.csv"),
        (b'name="file"; filename="C:\\Users\\me\\a.csv"', "a.csv"),
        (b'name="file"; filename="a;b%22c.csv"', 'a;b"c.csv'),
        (b'name="file"; filename="blob"', None),
        (b'name="file"; filename=""', None),
        (b"name=file", None),
    ],
)
def test_a_files_name_is_read_in_every_way_that_clients_write_it(disposition: bytes, name: str | None) -> None:
    assert form_of(disposition).file_name == name


@pytest.mark.parametrize(
    "disposition",
    [b"name=file; filename*=klingon''%EB", b"name=file; filename*=utf-8''%ff%", b"name=file; filename*=x"],
)
def test_a_name_that_cannot_be_read_does_not_lose_the_file(disposition: bytes) -> None:
    form_of(disposition)


def test_a_parts_own_content_type_is_kept_with_its_charset() -> None:
    form = form_of(b'name="file"; filename="blob"', b"Content-Type: text/csv; charset=euc-kr\r\n")
    assert form.file_type == "text/csv; charset=euc-kr"


@pytest.mark.parametrize(
    ("content_type", "encoding"),
    [
        ("text/csv; charset=euc-kr", "cp949"),
        ('text/csv; charset="MS949"', "cp949"),
        ("text/csv; charset=utf-16", "utf-16"),
        ("text/csv; charset=utf-8", None),
        ("text/csv; charset=klingon", None),
        ("text/csv", None),
    ],
)
def test_a_charset_counts_where_clients_mean_it(content_type: str, encoding: str | None) -> None:
    assert _charset_of(content_type) == encoding
    assert UploadRequest("", content_type, {}, None).media_type == "text/csv"


@pytest.mark.parametrize("after", [False, True])
def test_more_parts_than_a_form_needs_are_refused(after: bool) -> None:
    part = b'--limit\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'
    file = b'--limit\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\nx\r\n'
    body = (file + part * 600_000) if after else (part * 600_000 + file)
    form = Form(pieces_of(body, 65_536), CONTENT_TYPE)

    def read_whole() -> None:
        form.read_head()
        list(form.file_pieces())

    with pytest.raises(TooLargeError, match=f"more than {MAX_PARTS} parts"):
        read_whole()


def test_names_of_fields_count_as_the_fields_do() -> None:
    part = b'--limit\r\nContent-Disposition: form-data; name="' + b"n" * 4_000 + b'"\r\n\r\n' + b"v" * 4_000 + b"\r\n"
    with pytest.raises(TooLargeError, match="fields"):
        Form(pieces_of(part * 20, 999), CONTENT_TYPE).read_head()


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=" + "b" * 999],
)
def test_a_form_without_a_boundary_is_refused(content_type: str) -> None:
    with pytest.raises(MalformedRequestError, match="boundary"):
        Form(iter([b"x"]), content_type)
