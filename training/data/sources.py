"""The labelled files on disk, read into rows whose split is kept and whose dev texts are never trained on."""

import csv
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from bundles.format import sha256_of
from bundles.text.normalise import normalise
from shared.errors import ModelSourceError
from training.data.signals import READERS, Targets

TEST_DATA = Path(__file__).resolve().parents[2] / "tests" / "data"
_TEXT_COLUMNS = ("text", "plain", "obfuscated")
EVERYDAY = "everyday_sentences"
_HELD_OUT = {EVERYDAY: 20, "hatescore": 4}
"""Sources without a dev split of their own: one row in so many is held out, by a hash of its text."""
_DEV_ONLY = ("field",)
"""Never trained on, whatever its rows say."""


@dataclass(frozen=True)
class Row:
    """One text with what its source says about it; `targets` holds only the signals that are known."""

    text: str
    source: str
    split: str
    targets: Targets = field(default_factory=dict)


def squashed(text: str) -> str:
    """`text` without white space: two rows are the same text when this is equal."""
    return "".join(text.split())


def read_source(path: Path) -> Iterator[Row]:
    """Rows of one JSON-lines file, in its order."""
    read_targets = READERS[path.stem]
    with path.open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            yield Row(row["text"], path.stem, _split(row, path.stem), read_targets(row))


def _split(row: Mapping[str, Any], source: str) -> str:
    """The row's split; of sources without a dev split a fixed part is held out of training, to be scored."""
    part = _HELD_OUT.get(source)
    if source in _DEV_ONLY:
        return "dev"
    if part and zlib.crc32(squashed(row["text"]).encode()) % part == 0:
        return "dev"
    return str(row.get("split", "train"))


def read_folder(folder: Path) -> list[Row]:
    """Every row of every known file in `folder`, without training rows whose text is a dev row's of any file.

    Raises:
        ModelSourceError: the folder holds none of the known files.
    """
    paths = [path for name in READERS if (path := folder / f"{name}.jsonl").is_file()]
    if not paths:
        raise ModelSourceError(f"{folder} holds none of the files to train on: {', '.join(READERS)}")
    return without_dev_texts([row for path in paths for row in read_source(path)])


def read_table(path: Path) -> list[dict[str, str]]:
    """Rows of a tab-separated file with a header."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def held_out_rows(folder: Path = TEST_DATA) -> list[Row]:
    """Every text of the test sets, where the repository has them, as a dev row: none may be learnt from."""
    tables = [read_table(path) for path in sorted(folder.glob("*.tsv"))]
    cells = [record[name] for table in tables for record in table for name in _TEXT_COLUMNS if record.get(name)]
    pleasant = [text for path in folder.glob("*.txt") for text in path.read_text(encoding="utf-8").splitlines()]
    return [Row(text, "tests", "dev") for text in [*cells, *pleasant] if text]


def without_dev_texts(rows: Iterable[Row]) -> list[Row]:
    """Drop training rows that repeat a dev text, white space and disguises aside."""
    rows = list(rows)
    dev = _dev_keys(rows)
    return [row for row in rows if row.split == "dev" or not dev.intersection(_keys(row.text))]


def check_no_dev_text(train: Iterable[str], rows: Iterable[Row]) -> None:
    """Assert on the very texts that go into training that none is a dev row's.

    Raises:
        ModelSourceError: one is.
    """
    dev = _dev_keys(rows)
    leaked = sum(bool(dev.intersection(_keys(text))) for text in train)
    if leaked:
        raise ModelSourceError(f"{leaked} training texts are dev texts; the scores would mean nothing")


@cache  # every text is asked about more than once, and normalising a quarter of a million takes half a minute
def _keys(text: str) -> tuple[str, str]:
    return squashed(text), squashed(normalise(text))


def _dev_keys(rows: Iterable[Row]) -> set[str]:
    return {key for row in rows if row.split == "dev" for key in _keys(row.text)}


def file_hashes(folder: Path) -> dict[str, str]:
    """sha256 of each known file, by name: what the card lists."""
    return {path.name: sha256_of(path) for name in sorted(READERS) if (path := folder / f"{name}.jsonl").is_file()}
