"""A user's labelled file, read as a job's file is."""

import gzip
import json
import unicodedata
from pathlib import Path

import pytest

from cli.labelled import LabelColumns, read_labelled
from cli.texts import ReadingOptions
from shared.errors import KobertError

ROWS = [("안녕하세요", "정상"), ("꺼져, 똠방각하", "욕설"), ("또 올게요", "정상")]
CSV = "번호,댓글,분류\n" + "".join(f'{number},"{text}",{label}\n' for number, (text, label) in enumerate(ROWS))


def write(folder: Path, name: str, content: bytes) -> Path:
    (folder / name).write_bytes(content)
    return folder / name


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949", "utf-16"])
def test_a_table_in_any_encoding_of_a_job_is_read(tmp_path: Path, encoding: str) -> None:
    file = write(tmp_path, "내 표.csv", CSV.encode(encoding))
    assert read_labelled(file, ReadingOptions(), LabelColumns()).pairs == ROWS
    packed = write(tmp_path, "t.csv.gz", gzip.compress(CSV.encode(encoding)))
    assert read_labelled(packed, ReadingOptions(), LabelColumns()).pairs == ROWS


def test_lines_of_json_are_read_with_numbers_as_labels(tmp_path: Path) -> None:
    lines = [{"text": text, "label": label} for text, label in (("가", 1), ("나", 0), ("다", 2.0), ("라", None))]
    file = write(tmp_path, "t.jsonl", "\n".join(map(json.dumps, lines)).encode())
    read = read_labelled(file, ReadingOptions(), LabelColumns())
    assert read.pairs == [("가", "1"), ("나", "0"), ("다", "2")]
    assert (read.left_out, read.first_fault) == (1, "line 4 has no label")


def test_an_object_without_a_label_costs_itself_alone(tmp_path: Path) -> None:
    file = write(
        tmp_path, "t.jsonl", '{"text": "가"}\n{"text": "나", "라벨": "x"}\n{"text": "다"}\nnot json\n'.encode()
    )
    read = read_labelled(file, ReadingOptions(), LabelColumns())
    assert (read.pairs, read.left_out) == ([("나", "x")], 3)
    named = read_labelled(file, ReadingOptions(), LabelColumns("라벨"))
    assert (named.pairs, named.first_fault) == ([("나", "x")], "line 1 has no label")


def test_columns_are_named_or_numbered(tmp_path: Path) -> None:
    file = write(tmp_path, "t.tsv", "말\t뜻\n가\tx\n".encode())
    assert read_labelled(file, ReadingOptions(text_column="말"), LabelColumns("뜻")).pairs == [("가", "x")]
    assert read_labelled(file, ReadingOptions(text_column="1"), LabelColumns("2")).pairs == [("가", "x")]


@pytest.mark.parametrize(
    ("content", "label_column", "sentence"),
    [
        ("text,kind\n가,x\n", None, "Say --label-column NAME; the file has 1 'text', 2 'kind'"),
        ("text,kind\n가,x\n", "label", "--label-column label: there is no such column"),
        ("a,label\n가,x\n", None, "--text-column NAME"),
        ("text,label,class\n가,x,y\n", None, "--label-column NAME"),
        ("text,label\n,x\n가,\n", None, "has no labelled text"),
    ],
)
def test_what_cannot_be_read_is_said_in_the_words_of_the_command(
    tmp_path: Path, content: str, label_column: str | None, sentence: str
) -> None:
    file = write(tmp_path, "t.csv", content.encode())
    with pytest.raises(KobertError, match=sentence):
        read_labelled(file, ReadingOptions(), LabelColumns(label_column))


def test_bad_rows_are_left_out_and_counted_with_the_first_reason(tmp_path: Path) -> None:
    file = write(tmp_path, "t.csv", "text,label\n가,x\n나,y,z\n,x\n다,\n라,y\n".encode())
    read = read_labelled(file, ReadingOptions(), LabelColumns())
    assert read.pairs == [("가", "x"), ("라", "y")]
    assert read.left_out == 3
    assert "line 3 has 3 cells" in read.first_fault


def test_a_label_from_a_mac_is_the_same_label(tmp_path: Path) -> None:
    apart = unicodedata.normalize("NFD", "정상")
    file = write(tmp_path, "t.csv", f"text,label\n가,정상\n나,{apart}\n".encode())
    assert {label for _, label in read_labelled(file, ReadingOptions(), LabelColumns()).pairs} == {"정상"}


def test_lines_of_text_alone_are_no_table(tmp_path: Path) -> None:
    file = write(tmp_path, "t.txt", "가\n나\n".encode())
    with pytest.raises(KobertError, match="a text and a label column is needed"):
        read_labelled(file, ReadingOptions(), LabelColumns())


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl"])
def test_labels_may_have_a_column_each(tmp_path: Path, name: str) -> None:
    rows = [("가", 1, 0), ("나", 1, 1), ("다", 0, 0), ("라", "아마", 0), ("마", "0.6", "")]
    if name.endswith("csv"):
        content = "댓글,욕설,모욕\n" + "".join(f"{text},{first},{second}\n" for text, first, second in rows)
    else:
        content = "\n".join(json.dumps({"댓글": text, "욕설": first, "모욕": second}) for text, first, second in rows)
    file = write(tmp_path, name, content.encode())
    read = read_labelled(file, ReadingOptions(), LabelColumns(several=("욕설", "모욕")), may_be_empty=True)
    assert read.pairs == [("가", "욕설"), ("나", "욕설;모욕"), ("다", ""), ("마", "욕설")]
    assert (read.left_out, read.first_fault[:6]) == (1, "line 5" if name.endswith("csv") else "line 4")


def test_label_columns_may_be_numbered_and_a_missing_one_is_named(tmp_path: Path) -> None:
    file = write(tmp_path, "t.csv", "text,욕설,모욕\n가,o,x\n".encode())
    read = read_labelled(file, ReadingOptions(), LabelColumns(several=("2", "3")), may_be_empty=True)
    assert read.pairs == [("가", "욕설")]
    with pytest.raises(KobertError, match="--label-columns 협박: there is no such column"):
        read_labelled(file, ReadingOptions(), LabelColumns(several=("욕설", "협박")), may_be_empty=True)


def test_a_table_below_its_title_is_read_from_the_line_that_is_named(tmp_path: Path) -> None:
    file = tmp_path / "모음.csv"
    file.write_text("말뭉치 2024,\n,\ntext,label\n가,욕설\n나,정상\n")
    with pytest.raises(KobertError, match="say --header-row 3, else say --text-column NUMBER"):
        read_labelled(file, ReadingOptions(), LabelColumns())
    read = read_labelled(file, ReadingOptions(header_row=3), LabelColumns())
    assert read.pairs == [("가", "욕설"), ("나", "정상")]
