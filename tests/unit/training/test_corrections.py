"""Corrections as rows to learn from: how a file of them is read, and what they do to a table and to the sources."""

from pathlib import Path

import numpy as np
import pytest

from shared.errors import ModelSourceError
from training.corrections import CorrectedText, read_corrections
from training.data.corrected import reshaped
from training.data.prepare import correction_rows, training_rows
from training.data.sources import Row
from training.user_table import split_rows

ROWS = [(f"{'좋은' if index % 2 else '나쁜'} 글 {index}", "good" if index % 2 else "bad") for index in range(40)]


def written(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


def test_an_export_is_read_in_both_formats(tmp_path: Path) -> None:
    lines = '{"text": "가", "classification": "clean", "policy": null}\n\n{"text": "나", "classification": "hate"}\n'
    table = "\ufefftext,classification,policy,note\n가,clean,,\n나,hate,,메모\n"
    expected = [CorrectedText("가", "clean"), CorrectedText("나", "hate")]
    for path in (written(tmp_path, "c.jsonl", lines), written(tmp_path, "c.csv", table)):
        assert read_corrections(path).texts == expected


@pytest.mark.parametrize("codec", ["utf-8-sig", "cp949"])
@pytest.mark.parametrize(
    ("start", "separator"), [("", ","), ("", ";"), ("", "\t"), ("sep=;\r\n", ";"), ("sep=|\r\n", "|")]
)
def test_an_export_that_excel_has_saved_again_is_read(tmp_path: Path, start: str, separator: str, codec: str) -> None:
    rows = [["text", "classification", "policy"], ['"가, 나; 다\r\n라"', "clean", ""], ["마", "hate", ""]]
    path = tmp_path / "c.csv"
    path.write_bytes((start + "\r\n".join(map(separator.join, rows))).encode(codec))
    assert read_corrections(path).texts == [CorrectedText("가, 나; 다\r\n라", "clean"), CorrectedText("마", "hate")]
    path.write_bytes(f"{start}text{separator}classification\r\n가{separator}clean\r\n나{separator}\r\n".encode(codec))
    with pytest.raises(ModelSourceError, match=f"line {start.count('=') + 3}: this correction lacks"):
        read_corrections(path)


def test_of_a_text_the_last_word_counts_and_those_of_one_policy_are_left_out(tmp_path: Path) -> None:
    path = written(tmp_path, "c.csv", "text,classification,policy\n가,hate,\n나,clean,board1\n가,clean,\n")
    read = read_corrections(path)
    assert (read.texts, read.of_policies) == ([CorrectedText("가", "clean")], 1)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("c.jsonl", '{"text": "가", "classification": "clean"}\n{"text": "가"}\n', "line 2: this correction lacks"),
        ("c.jsonl", "text,classification\n", "line 1 is not JSON"),
        ("c.jsonl", "[1]\n", "line 1 is no object"),
        ("c.csv", "text,label\n가,clean\n", "line 2: this correction lacks"),
        ("c.csv", "text,classification,policy\n가,clean,board1\n", "holds no correction"),
    ],
)
def test_a_file_that_is_no_export_is_refused_by_its_line(tmp_path: Path, name: str, content: str, words: str) -> None:
    with pytest.raises(ModelSourceError, match=words):
        read_corrections(written(tmp_path, name, content))


def test_a_corrected_text_takes_the_place_of_the_tables_own_rows() -> None:
    table = split_rows(ROWS, "t.csv", [CorrectedText("나쁜글 0!!", "good"), CorrectedText("새로운 글", "new")])
    assert table.labels == ["bad", "good", "new"]
    assert table.corrected == (("나쁜글 0!!", 1), ("새로운 글", 2))
    assert "나쁜 글 0" not in {text for text, _ in [*table.train, *table.dev]}
    assert len(table.train) + len(table.dev) == 39


def test_harmless_text_is_reshaped_and_never_disguised() -> None:
    generator = np.random.default_rng(3)
    text, around = "시체팔이런 같이 하실 분", "오늘 날씨 좋다"
    shapes = {reshaped(text, generator, is_clean=True, pleasant=[around]) for _ in range(200)}
    assert len(shapes) > 5
    bare = {shape.replace(around, "").replace(" ", "").strip("!.~?ㅋㅎㅠㅡ^\n") for shape in shapes}
    assert bare == {text.replace(" ", "")}
    assert any("시체팔이런" not in reshaped(text, generator, is_clean=False) for _ in range(200))


def test_a_correction_overrules_the_sources_of_the_embedded_model() -> None:
    given = [Row("이 글 참 별로네", "kmhas", "train", {"any": 1.0, "insult": 1.0})]
    rows = training_rows(given, correction_rows([("이 글 참 별로네", "clean"), ("너는 뿡뿡이", "hate/age")]))
    by_text = {row.text: row.targets for row in rows}
    assert by_text["이 글 참 별로네"]["insult"] == 0.0
    assert by_text["이 글 참 별로네"]["any"] == 0.0
    assert {by_text["너는 뿡뿡이"][name] for name in ("any", "hate", "hate/age")} == {1.0}
    with pytest.raises(ModelSourceError, match="a correction says nice; the embedded model has clean, curse"):
        correction_rows([("글", "nice")])
