"""What is read from the labelled files, and that no dev text is trained on."""

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

from shared.errors import ModelSourceError
from training.data.prepare import merge, targets_of, training_rows
from training.data.signals import READERS, SIGNAL_INDEX
from training.data.sources import Row, check_no_dev_text, read_folder


def write(path: Path, *rows: dict[str, object]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def test_a_source_says_nothing_about_what_it_does_not_label(tmp_path: Path) -> None:
    write(tmp_path / "curse_detection.jsonl", {"text": "아 시발", "labels": ["curse"], "split": "train"})

    targets = targets_of(read_folder(tmp_path))[0]

    assert targets[SIGNAL_INDEX["curse"]] == 1.0
    assert targets[SIGNAL_INDEX["curse_detection/curse"]] == 1.0
    assert str(targets[SIGNAL_INDEX["beep/offensive"]]) == "nan"
    assert str(targets[SIGNAL_INDEX["nsmc/positive"]]) == "nan"


def test_kmhas_profanity_alone_is_no_hate_of_any_kind() -> None:
    targets = READERS["kmhas"]({"labels": ["profanity"]})
    assert (targets["kmhas/any"], targets["kmhas/curse"], targets["kmhas/hate"]) == (1.0, 1.0, 0.0)


def test_a_dev_text_is_trained_on_from_no_file_white_space_and_disguise_aside(tmp_path: Path) -> None:
    write(tmp_path / "beep.jsonl", {"text": "그 시발 놈", "labels": ["hate"], "bias": "none", "split": "dev"})
    write(
        tmp_path / "malicious_comments.jsonl",
        {"text": "그시발놈", "labels": ["malicious"], "split": "train"},
        {"text": "그 시\u200b발 놈", "labels": ["malicious"], "split": "train"},
        {"text": "다른 글", "labels": ["clean"], "split": "train"},
    )

    learnt = [row.text for row in training_rows(read_folder(tmp_path)) if row.source == "malicious_comments"]

    assert learnt == ["다른 글"]


def test_training_on_a_dev_text_is_refused() -> None:
    rows = [Row("몰래 본 문제", "beep", "dev")]
    with pytest.raises(ModelSourceError, match="1 training texts are dev texts"):
        check_no_dev_text(["몰래본 문제"], rows)


def test_sources_that_share_a_text_each_add_what_they_say() -> None:
    rows = [Row("같은 글", "beep", "train", {"beep/hate": 1.0}), Row("같은글", "kmhas", "train", {"curse": 0.0})]
    assert [row.targets for row in merge(rows)] == [{"beep/hate": 1.0, "curse": 0.0}]


def test_a_folder_without_files_is_refused_with_their_names(tmp_path: Path) -> None:
    with pytest.raises(ModelSourceError, match="holds none of the files"):
        read_folder(tmp_path)
