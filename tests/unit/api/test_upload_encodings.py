"""Encodings of uploaded files: mixed, misnamed, cut, without their mark."""

import itertools
import random
import tracemalloc
from collections.abc import Iterator

import pytest

from api.uploads import decoding, steps
from api.uploads.decoding import Decoded, table_lines
from api.uploads.encodings import known_encoding
from api.uploads.options import UploadOptions, parse_options
from api.uploads.sources import Source, open_file
from shared.errors import MalformedRequestError
from shared.jobs.records import Row
from shared.settings import Settings

SETTINGS = Settings(max_text_chars=1_000)
COMMENTS = ["안녕하세요", "정말 재미있어요 ㅋㅋ", "배송이 너무 늦네요", "뷁 똠방각하", "최고!", "그냥 그래요 ㅠㅠ"]


def pieces_of(data: bytes, size: int = 7) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def read(data: bytes, file_format: str, **options: object) -> tuple[list[Row], Source]:
    source = open_file(pieces_of(data), file_format, UploadOptions(**options), SETTINGS)  # type: ignore[arg-type]
    return list(source.rows), source


def texts_of(data: bytes, file_format: str = "txt", **options: object) -> list[str | None]:
    rows, _ = read(data, file_format, **options)
    return [row.text if row.error is None else None for row in rows]


@pytest.mark.parametrize(("most", "odd"), [("cp949", "utf-8"), ("utf-8", "cp949")])
@pytest.mark.parametrize("place", [0, 4, 9])
def test_the_odd_line_of_another_encoding_is_read_as_what_it_is(most: str, odd: str, place: int) -> None:
    lines = [f"{number}번 댓글입니다".encode(most) for number in range(9)]
    lines.insert(place, "이것만 다릅니다".encode(odd))
    assert texts_of(b"\n".join(lines))[place] == "이것만 다릅니다"
    assert None not in texts_of(b"\n".join(lines))


def test_lines_of_both_encodings_in_any_order_are_all_read() -> None:
    chance = random.Random(3)
    expected = [chance.choice(COMMENTS) for _ in range(400)]
    data = b"\n".join(text.encode(chance.choice(["utf-8", "cp949"])) for text in expected)
    assert texts_of(data) == expected


@pytest.mark.parametrize("most", ["cp949", "utf-8"])
def test_a_line_that_fits_no_encoding_is_an_error_and_never_nonsense(most: str) -> None:
    lines = [text.encode(most) for text in COMMENTS]
    lines.insert(2, "잘린 줄입니다".encode()[:-1] + b"!")
    rows, _ = read(b"\n".join(lines), "txt")
    assert [row.line for row in rows if row.error] == [3]
    assert rows[2].error is not None
    assert rows[2].error.code == "invalid_encoding"
    assert "encoding=cp949" in rows[2].error.message


@pytest.mark.parametrize("said", ["cp949", "utf-8"])
def test_a_file_that_is_not_what_the_client_says_gives_errors_and_never_nonsense(said: str) -> None:
    other = {"cp949": "utf-8", "utf-8": "cp949"}[said]
    data = "\n".join(["hello", *COMMENTS]).encode(other)
    assert texts_of(data, encoding=said) == ["hello", *[None] * len(COMMENTS)]


@pytest.mark.parametrize("text", ["체크", "타코 체크", "호두", "철"])
def test_syllables_that_are_also_valid_utf8_are_read_as_korean(text: str) -> None:
    assert texts_of(f"hello\n{text}\n".encode("cp949")) == ["hello", text]


@pytest.mark.parametrize(
    "text", ["très bien", "über cool", "café naïve", "Ångström 5 µm", "привет", "日本語 テスト", "👍 최고"]
)
def test_other_scripts_in_utf8_stay_what_they_are(text: str) -> None:
    assert texts_of(f"{text}\n".encode()) == [text]


@pytest.mark.parametrize(
    "name", ["euc-kr", "EUC_KR", "windows-949", "x-windows-949", "ms949", "cp949", "ksc5601", "uhc"]
)
def test_every_korean_name_of_cp949_reads_its_rare_syllables(name: str) -> None:
    assert texts_of("뷁\n똠\n펲\n".encode("cp949"), encoding=name) == ["뷁", "똠", "펲"]


@pytest.mark.parametrize(
    "name", ["idna", "punycode", "undefined", "base64", "rot13", "unicode_escape", "mbcs", "", "k" * 900]
)
def test_an_encoding_that_is_not_on_the_list_is_refused_before_the_file_is_read(name: str) -> None:
    with pytest.raises(MalformedRequestError, match="encoding=") as caught:
        known_encoding(name)
    assert caught.value.param == "encoding"
    assert len(str(caught.value)) < 300
    if name:
        with pytest.raises(MalformedRequestError, match="encoding="):
            parse_options({"encoding": name})


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize(
    "data", ["text\n안녕하세요\n".encode(), "text\n안녕하세요\n".encode("cp949"), b"abcdefgh", b"odd"]
)
def test_a_file_that_is_said_to_be_utf16_and_is_not_is_refused(encoding: str, data: bytes) -> None:
    with pytest.raises(MalformedRequestError, match="the file is not utf") as caught:
        texts_of(data, encoding=encoding)
    assert caught.value.param == "encoding"


@pytest.mark.parametrize(
    ("codec", "option"),
    [
        ("utf-16-le", "none"),
        ("utf-16-be", "none"),
        *itertools.product(("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"), ("mark", "said")),
    ],
)  # without a mark and unsaid, UTF-32 is not told from other zeros
def test_utf16_and_utf32_are_read_with_and_without_a_mark(codec: str, option: str) -> None:
    text = "id,댓글\n1,좋아요 🙂\n2,별로\n"
    data = (("\ufeff" if option == "mark" else "") + text).encode(codec)
    options = {"encoding": codec[:6]} if option == "said" else {}
    assert texts_of(data, "csv", **options) == ["좋아요 🙂", "별로"]


@pytest.mark.parametrize("codec", ["utf-8", "cp949"])
@pytest.mark.parametrize("lines", [2, 500])
@pytest.mark.parametrize("place", [0, 1])
def test_a_stray_zero_byte_does_not_make_utf16_of_a_file(codec: str, lines: int, place: int) -> None:
    data = ("가나다 라\n" * lines).encode(codec)
    at = data.index(b" ") + place
    texts = texts_of(data[:at] + b"\0" + data[at:])
    assert len(texts) == lines
    assert texts[-1] == "가나다 라"


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark_is_found_out_where_syllables_have_zero_bytes_too(codec: str) -> None:
    assert texts_of("번호,댓글\n1,가가가 글글글\n".encode(codec), format="txt") == ["번호,댓글", "1,가가가 글글글"]


def test_utf16_that_is_damaged_costs_the_damaged_line() -> None:
    data = "\ufeff하나\n둘\n셋\n".encode("utf-16-le")
    harmed = data.replace("둘".encode("utf-16-le"), b"\x00\xd8") + b"\x00"
    rows, _ = read(harmed, "txt")
    assert [row.error.code if row.error else row.text for row in rows] == [
        "하나",
        "invalid_encoding",
        "셋",
        "invalid_encoding",
    ]


def test_an_undecodable_cell_is_called_undecodable() -> None:
    rows, _ = read(b"comment\n" + b"\xc8\xff\n" + "좋아요\n".encode("cp949"), "csv", encoding="cp949")
    assert rows[0].error is not None
    assert rows[0].error.code == "invalid_encoding"
    assert "surrogate" not in rows[0].error.message


@pytest.mark.parametrize("header", [b"comment,\xff\n", b"\xfd\xfe\xff,comment\n"])
def test_a_header_that_cannot_be_decoded_is_refused_by_its_column(header: bytes) -> None:
    with pytest.raises(MalformedRequestError, match="line 1: the name of column"):
        read(header + "가,나\n".encode(), "csv", text_column="comment")


@pytest.mark.parametrize("file_format", ["csv", "txt", "jsonl"])
def test_files_whose_lines_end_at_carriage_returns_alone_are_read(file_format: str) -> None:
    lines = {"csv": ["댓글", "하나", "둘"], "txt": ["하나", "둘"], "jsonl": ['{"text":"하나"}', '{"text":"둘"}']}
    for encoding in ("utf-8", "cp949"):
        assert texts_of("\r".join(lines[file_format]).encode(encoding), file_format) == ["하나", "둘"]


def test_a_table_with_all_kinds_of_line_ends_has_all_its_rows() -> None:
    rows, _ = read('a,text\r1,하나\n2,둘\r\n3,"셋\r끝"\r4,넷'.encode(), "csv")
    assert [(row.line, row.text) for row in rows] == [(2, "하나"), (3, "둘"), (4, "셋\r끝"), (6, "넷")]


def test_the_encoding_is_found_when_pieces_cut_every_character() -> None:
    for size in (1, 2, 3, 5):
        decoded = Decoded(pieces_of("가나\r\n다라".encode("cp949"), size), None, table_lines)
        assert list(decoded) == ["가나\r\n", "다라"]
        assert decoded.encoding == "cp949"


@pytest.mark.parametrize(
    "line", [("각" * 1_300_000).encode(), ("가a" * 1_300_000).encode("cp949"), "뷁".encode("cp949") * 2_000_000]
)
def test_to_find_the_encoding_of_a_line_of_megabytes_takes_few_times_its_bytes(line: bytes) -> None:
    """Each of its characters was an object of its own, 180 MB of them, in each of four uploads."""
    pieces = [line[start : start + 65_536] for start in range(0, len(line), 65_536)]
    tracemalloc.start()
    assert len(list(Decoded(iter([*pieces, b"\n"]), None))) == 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * len(line)


@pytest.mark.parametrize("encoding", ["cp949", "johab", "cp1252"])
def test_a_long_line_is_decoded_in_steps_as_it_would_be_at_once(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "STEP", 7)
    for seed in range(50):
        noise = random.Random(seed).randbytes(60) + "뷁 똠방".encode("cp949") + b"\xb0"
        assert decoding._escaped(noise, encoding) == noise.decode(encoding, "surrogateescape")
