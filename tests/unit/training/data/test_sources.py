"""What is read from the labelled files, what is held out, and that no dev or test text is trained on."""

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

from bundles.text.normalise import normalise
from shared.errors import ModelSourceError
from training.data.prepare import merge, targets_of, training_rows
from training.data.signals import TARGET_INDEX
from training.data.sources import (
    EVERYDAY,
    TEST_DATA,
    Row,
    check_no_dev_text,
    held_out_rows,
    read_folder,
    read_source,
    squashed,
)


def write(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def test_what_a_source_does_not_label_stays_unknown(tmp_path: Path) -> None:
    write(tmp_path / "curse_detection.jsonl", {"text": "아 시발", "labels": ["curse"], "split": "train"})

    targets = targets_of(read_folder(tmp_path))[0]

    assert (targets[TARGET_INDEX["curse"]], targets[TARGET_INDEX["any"]]) == (1.0, 1.0)
    assert all(str(targets[TARGET_INDEX[name]]) == "nan" for name in ("insult", "hate", "beep/offensive"))


@pytest.mark.parametrize(("source", "label", "share"), [("hatescore", "Clean", 1 / 4), (EVERYDAY, "clean", 1 / 20)])
def test_a_fixed_part_of_a_source_without_a_dev_split_is_held_out(
    tmp_path: Path, source: str, label: str, share: float
) -> None:
    texts = [f"점심 메뉴 {number} 번 주문이요" for number in range(2_000)]
    rows: list[dict[str, Any]] = [{"text": text, "labels": [label], "split": "train"} for text in texts]
    path = write(tmp_path / f"{source}.jsonl", *rows)
    held_out = {row.text for row in read_source(path) if row.split == "dev"}

    assert 0.7 * share < len(held_out) / len(texts) < 1.3 * share
    assert not held_out & {row.text for row in training_rows(read_folder(tmp_path))}
    # A text is held out whatever its place in the file and its white space.
    respaced = write(tmp_path / f"{source}.jsonl", *[{**row, "text": f"{row['text']} "} for row in reversed(rows)])
    assert {row.text.strip() for row in read_source(respaced) if row.split == "dev"} == held_out


def test_a_source_with_a_dev_split_keeps_it(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"text": f"글 {n}", "labels": ["clean"], "split": "dev" if n % 3 else "train"} for n in range(30)
    ]
    read = list(read_source(write(tmp_path / "curse_detection.jsonl", *rows)))
    assert [row.split for row in read] == [row["split"] for row in rows]


@pytest.mark.parametrize("split", ["dev", "train"])
def test_a_line_from_the_field_is_learnt_from_no_file_white_space_and_disguise_aside(
    tmp_path: Path, split: str
) -> None:
    write(tmp_path / "field.jsonl", {"text": "저 그 시발 놈 봐라", "labels": ["bad"], "split": split})
    write(
        tmp_path / "malicious_comments.jsonl",
        {"text": "저그시발놈 봐라", "labels": ["malicious"], "split": "train"},
        {"text": "저 그 시\u200b발 놈 봐라", "labels": ["malicious"], "split": "train"},
        {"text": "저 그 시1발 놈 봐라", "labels": ["malicious"], "split": "train"},
        {"text": "다른 글", "labels": ["clean"], "split": "train"},
    )
    learnt = training_rows(read_folder(tmp_path))

    assert [row.text for row in learnt if row.source in ("malicious_comments", "field")] == ["다른 글"]
    assert squashed("저 그 시발 놈 봐라") not in {squashed(normalise(row.text)) for row in learnt}


def test_every_line_of_the_test_sets_is_held_out() -> None:
    held_out = {row.text for row in held_out_rows()}
    tables = sorted(TEST_DATA.glob("*.tsv"))
    lines = [line for path in tables for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    pleasant = (TEST_DATA / "pleasant.txt").read_text(encoding="utf-8").splitlines()

    assert len(tables) >= 8
    assert [line for line in lines if not held_out.intersection(line.split("\t"))] == []
    assert set(pleasant) <= held_out


def test_no_line_of_the_test_sets_is_learnt_not_even_disguised() -> None:
    tested = {squashed(normalise(row.text)) for row in held_out_rows()}
    secret = held_out_rows()[::40]
    given = [Row(f" {row.text}\u200b ", "malicious_comments", "train", {"any": 1.0}) for row in secret]
    learnt = training_rows([*given, Row("아무도 시험하지 않는 글", "malicious_comments", "train", {"any": 1.0})])

    assert [row.text for row in learnt if squashed(normalise(row.text)) in tested] == []
    assert [row.text for row in learnt if row.source == "malicious_comments"] == ["아무도 시험하지 않는 글"]


def test_training_on_a_dev_text_is_refused() -> None:
    rows = [Row("몰래 본 문제", "beep", "dev")]
    with pytest.raises(ModelSourceError, match="1 training texts are dev texts"):
        check_no_dev_text(["몰래본 문제"], rows)


def test_sources_that_share_a_text_each_add_what_they_say() -> None:
    rows = [Row("같은 글", "beep", "train", {"any": 1.0}), Row("같은글", "kmhas", "train", {"curse": 0.0})]
    assert [row.targets for row in merge(rows)] == [{"any": 1.0, "curse": 0.0}]


def test_a_folder_without_files_is_refused_with_their_names(tmp_path: Path) -> None:
    with pytest.raises(ModelSourceError, match="holds none of the files"):
        read_folder(tmp_path)
