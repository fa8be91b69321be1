"""JSON as people have it: arrays, paths, NaN, half an emoji, more fields than anybody needs."""

import json

import msgspec
import pytest

from api.uploads import rows as rows_module
from api.uploads import steps
from api.uploads.columns import MAX_COLUMNS
from shared.errors import MalformedRequestError
from tests.unit.api.test_upload_encodings import pieces_of, read


def outcomes(data: str | bytes, file_format: str = "json", **options: object) -> list[str | None]:
    rows, _ = read(data if isinstance(data, bytes) else data.encode(), file_format, **options)
    return [row.error.code if row.error else row.text for row in rows]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("encoding", ["utf-8", "cp949", "utf-16"])
def test_an_array_of_strings_or_objects_is_read_as_it_streams_in(indent: int | None, encoding: str) -> None:
    rows = ["하나", {"id": 1.10, "text": '괄호 ] } , "둘" \\', "tags": ["a", {"b": 1}]}, 3, None, {"text": "끝"}]
    document = json.dumps(rows, ensure_ascii=False, indent=indent)
    expected = ["하나", '괄호 ] } , "둘" \\', "not_a_string", "not_a_string", "끝"]
    for file_format in ("json", "jsonl"):
        assert outcomes(document.encode(encoding), file_format) == expected


@pytest.mark.parametrize(
    "document",
    [
        '{"text":"하나"}\n{"text":"둘"}\n',
        '{\n "text": "하나"\n}\n{\n "text": "둘"\n}',
        '"하나"\n"둘"\n',
        '{"texts": ["하나", "둘"]}',
        '{"data": [{"text": "하나"}, {"text": "둘"}], "total": 2}',
        '{"page": 1, "posts": [{"text": "하나"}, {"text": "둘"}]}',
        '[{"text":"하나"},{"text":"둘"},]',
    ],
)
def test_other_shapes_of_a_json_file_have_their_rows(document: str) -> None:
    assert outcomes(document) == ["하나", "둘"]


def test_a_single_object_with_a_text_is_one_row_whatever_lists_it_has() -> None:
    assert outcomes('{"text": "하나", "tags": ["a", "b"]}') == ["하나"]
    assert outcomes('{"id": 1, "tags": ["a", "b"]}') == ["no_text"]


def test_one_broken_item_costs_itself_and_a_document_that_is_cut_is_refused() -> None:
    assert outcomes('["하나", {"text": 둘}, "셋"]') == ["하나", "malformed_json", "셋"]
    with pytest.raises(MalformedRequestError, match="cut short"):
        outcomes('["하나", {"text": "둘"')


@pytest.mark.parametrize("path", ["data.text", "data.list.1", "data.list.2.text"])
def test_a_text_is_found_at_a_path_and_its_object_comes_back_whole(path: str) -> None:
    line = '{"id":1,"data":{"text":"좋아요","list":["x","좋아요",{"text":"좋아요"}],"n":1.10}}'
    rows, source = read(line.encode(), "jsonl", text_column=path)
    assert rows[0].text == "좋아요"
    assert bytes(memoryview(rows[0].fields)) == line.encode()
    assert source.describe()["columns"] == ["id", "data", path]


@pytest.mark.parametrize(
    "path",
    ["data.no", "data.text.more", "data.list.9", "data.list.x", "nothing", "data..text", "data.list." + "9" * 5_000],
)
def test_a_path_that_leads_nowhere_is_an_error_that_lists_the_fields(path: str) -> None:
    rows, _ = read('{"id":1,"data":{"text":"좋아요","list":["x"]}}'.encode(), "jsonl", text_column=path)
    assert rows[0].error is not None
    assert rows[0].error.code == "no_text"
    assert "it has 1 'id', 2 'data'" in rows[0].error.message


@pytest.mark.parametrize(
    ("other", "back"),
    [
        ("NaN", None),
        ("-Infinity", None),
        ('"\\ud83d"', "�"),
        ('{"a": ["\\udc00", NaN, 1.10]}', {"a": ["�", None, 1.10]}),
        ("1e999", None),
        ("9" * 5_000, None),
    ],
)
@pytest.mark.parametrize("shape", ["line", "array"])
def test_what_standard_json_forbids_in_another_field_loses_no_row(other: str, back: object, shape: str) -> None:
    line = f'{{"text": "좋아요", "price": 1.10, "other": {other}}}'
    rows, _ = read((line if shape == "line" else f"[{line}]").encode(), "jsonl" if shape == "line" else "json")
    assert rows[0].error is None
    assert rows[0].text == "좋아요"
    assert b'"price":1.10' in bytes(memoryview(rows[0].fields))
    if back is not None:
        assert msgspec.json.decode(rows[0].fields)["other"] == back


def test_half_an_emoji_in_the_text_is_called_that_and_in_a_name_it_costs_one_sign() -> None:
    rows, _ = read(b'{"text": "a\\ud83d", "id": 7}\n"b\\ud83d"\n{"\\ud83d": 1, "text": "c"}\n', "jsonl")
    assert [row.error.code if row.error else row.text for row in rows] == ["invalid_unicode", "invalid_unicode", "c"]
    assert msgspec.json.decode(rows[0].fields) == {"text": None, "id": 7}
    assert rows[0].error is not None
    assert "half of an emoji" in rows[0].error.message


def test_a_row_of_countless_fields_is_refused_before_it_becomes_objects() -> None:
    wide = '{"text":"a",' + ",".join(f'"{n}":1' for n in range(60_000)) + "}\n"
    rows, _ = read(wide.encode() + b'{"text": "b"}\n', "jsonl")

    assert [row.error.code if row.error else row.text for row in rows] == ["too_many_fields", "b"]
    assert rows[0].error is not None
    assert "more than 20,000 values" in rows[0].error.message


def test_commas_within_strings_are_no_values() -> None:
    rows, _ = read(json.dumps({"text": "가", "note": ",[{" * 2_000}).encode() + b"\n", "jsonl")
    assert [row.text for row in rows] == ["가"]


def test_fields_without_bound_cost_their_own_row() -> None:
    wide = json.dumps({"text": "가", **{f"k{n}": 1 for n in range(60_000)}})
    rows, source = read(f'{wide}\n{{"text": "나"}}\n'.encode(), "jsonl")
    assert [row.error.code if row.error else row.text for row in rows] == ["too_many_fields", "나"]
    lines = "\n".join(json.dumps({"text": "다", f"k{n}": 1}) for n in range(2_000))
    _, source = read(lines.encode(), "jsonl")
    assert len(source.describe()["columns"]) == MAX_COLUMNS


def test_a_row_that_is_nested_too_deep_is_an_error_of_its_own() -> None:
    deep = '{"text": "가", "a": ' + "[" * 900 + "]" * 900 + "}"
    assert outcomes(f'{deep}\n{{"text": "나"}}\n', "jsonl") == ["malformed_json", "나"]
    assert outcomes(f'[{deep}, {{"text": "나"}}]') == ["malformed_json", "나"]


def test_a_field_in_decomposed_hangul_is_found_and_replaced() -> None:
    rows, source = read('{"\u1103\u1162\u11ba\u1100\u1173\u11af": "좋아요"}\n'.encode(), "jsonl", text_column="댓글")
    assert rows[0].text == "좋아요"
    assert list(msgspec.json.decode(rows[0].fields).values()) == [None]
    assert source.describe()["text_column"] == "\u1103\u1162\u11ba\u1100\u1173\u11af"


def test_an_array_of_one_long_line_is_not_cut() -> None:
    texts = [f"긴 배열의 {number}번째 댓글" for number in range(100_000)]
    source_pieces = pieces_of(json.dumps(texts, ensure_ascii=False).encode(), 65_536)
    from api.uploads.options import UploadOptions  # noqa: PLC0415
    from api.uploads.sources import open_file  # noqa: PLC0415
    from tests.unit.api.test_upload_encodings import SETTINGS  # noqa: PLC0415

    rows = list(open_file(source_pieces, "json", UploadOptions(), SETTINGS).rows)
    assert [row.text for row in rows] == texts


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r"])
def test_an_error_keeps_its_line_without_the_line_break(line_break: str) -> None:
    rows, _ = read(f"no json{line_break}{{}}{line_break}".encode(), "jsonl")
    assert [msgspec.json.decode(row.fields) for row in rows] == ["no json", "{}"]


def test_invalid_unicode_is_replaced_in_steps_as_it_would_be_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = "가\udcff나🙂\ud83d다" * 20
    at_once = rows_module.readable(broken)
    assert at_once == "가\ufffd나🙂\ufffd다" * 20
    monkeypatch.setattr(steps, "STEP", 7)
    assert rows_module.readable(broken) == at_once
