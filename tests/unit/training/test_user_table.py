"""A user's table: what is read of it, and what is refused, by name."""

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

from shared.errors import ModelSourceError
from training.user_table import read_user_table


def table(path: Path, rows: int = 40, header: str = "text,label") -> Path:
    lines = [f"{'좋은' if index % 2 else '나쁜'} 글 {index},{'good' if index % 2 else 'bad'}" for index in range(rows)]
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8-sig")
    return path


def test_a_tenth_of_each_label_is_kept_for_scoring(tmp_path: Path) -> None:
    read = read_user_table(table(tmp_path / "t.csv"), "text", "label")
    assert read.labels == ["bad", "good"]
    assert (len(read.train), len(read.dev)) == (36, 4)
    assert not {text for text, _ in read.train} & {text for text, _ in read.dev}


def test_the_split_does_not_depend_on_the_order_of_the_rows(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv")
    first = read_user_table(path, "text", "label")
    head, *lines = path.read_text(encoding="utf-8-sig").splitlines()
    path.write_text("\n".join([head, *reversed(lines)]), encoding="utf-8")
    assert read_user_table(path, "text", "label").dev == first.dev


def test_a_missing_column_is_refused_with_the_columns_there_are(tmp_path: Path) -> None:
    with pytest.raises(ModelSourceError, match="has no column label; it has text, kind"):
        read_user_table(table(tmp_path / "t.csv", header="text,kind"), "text", "label")


def test_a_file_in_cp949_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("text,label\n안녕,clean\n".encode("cp949"))
    with pytest.raises(ModelSourceError, match="is not UTF-8: save it as UTF-8"):
        read_user_table(path, "text", "label")


def test_too_few_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelSourceError, match="has 4 different texts and 2 labels"):
        read_user_table(table(tmp_path / "t.csv", rows=4), "text", "label")
