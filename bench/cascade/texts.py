"""What is read: the labelled texts that were held out, those of `tests/data`, and the benchmarks' own comments."""

import os
from pathlib import Path

from bundles.text.normalise import normalise
from training.data.parts import COMMENTS, held_texts
from training.data.sources import TEST_DATA, Row, read_folder, read_table

ROOT = Path(__file__).resolve().parents[2]


def comments() -> list[str]:
    """The comments that all benchmarks have."""
    return [text for text in (ROOT / "bench" / "comments.txt").read_text().splitlines() if text.strip()]


def data_folder(named: Path | None) -> Path:
    """Where the labelled files are, if anywhere."""
    return named or Path(os.environ.get("KOBERT_DATA") or ROOT.parent / "shared" / "data")


def held_and_dev(folder: Path, most: int, *, smoke: bool) -> tuple[list[tuple[str, str]], list[Row]]:
    """`(set, text)` of the held-out texts in `folder`, and its dev rows; comments of ours alone where it is not."""
    if smoke or not folder.is_dir():
        return [("bench/comments.txt", text) for text in comments()], []
    rows = read_folder(folder)
    named = [(shown(row.source), row.text) for row in held_texts(rows, most)]
    return named, [row for row in rows if row.split == "dev"]


def shown(source: str) -> str:
    """What a reader knows a source as."""
    return "news comments" if source == COMMENTS else source


def test_texts() -> list[tuple[str, str]]:
    """The texts of `tests/data` by file."""
    columns = ("text", "plain", "obfuscated")
    found = [
        (f"tests/data/{path.name}", record[column])
        for path in sorted(TEST_DATA.glob("*.tsv"))
        for record in read_table(path)
        for column in columns
        if record.get(column)
    ]
    return [(name, text) for name, text in found if normalise(text)]
