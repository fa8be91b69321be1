"""Opens an upload of any format as rows, and says afterwards what it was."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import msgspec

from api.uploads.compression import unpacked
from api.uploads.decoding import Decoded, split_lines
from api.uploads.objects import ObjectReader
from api.uploads.options import FORMATS, UploadOptions
from api.uploads.parquet import ParquetReader
from api.uploads.rows import make_row
from api.uploads.tables import TableReader
from shared.errors import UnsupportedMediaError
from shared.jobs.records import Row
from shared.settings import Settings

_BY_MEDIA_TYPE = {
    "text/csv": "csv",
    "application/csv": "csv",
    "text/tab-separated-values": "tsv",
    "application/jsonl": "jsonl",
    "application/x-ndjson": "jsonl",
    "application/ndjson": "jsonl",
    "application/json-lines": "jsonl",
    "text/plain": "txt",
    "application/vnd.apache.parquet": "parquet",
    "application/x-parquet": "parquet",
}
_BY_SUFFIX = {".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".txt": "txt",
              ".parquet": "parquet", ".pq": "parquet"}  # fmt: skip


@dataclass(frozen=True)
class Source:
    """Rows to iterate once; `describe` gives fields of the `JobSpec`, complete when the rows are through."""

    rows: Iterator[Row]
    describe: Callable[[], Mapping[str, Any]]


def choose_format(options: UploadOptions, file_name: str | None, media_type: str) -> str:
    """As said, or by the file's name, or by the content type.

    Raises:
        UnsupportedMediaError: none of them tells.
    """
    name = (file_name or "").lower().removesuffix(".gz")
    found = options.format or _BY_SUFFIX.get(PurePath(name).suffix) or _BY_MEDIA_TYPE.get(media_type)
    if found is None:
        raise UnsupportedMediaError(
            f"the file came as {media_type or 'no content type'}; say what it is with format= ({', '.join(FORMATS)})",
            param="format",
        )
    return found


def open_file(pieces: Iterator[bytes], file_format: str, options: UploadOptions, settings: Settings) -> Source:
    """The rows of a file in one of `FORMATS`, packed by gzip or not.

    Raises:
        MalformedRequestError: the file as a whole cannot be read, now or while iterating.
    """
    plain = unpacked(pieces, settings.max_job_bytes)
    if file_format == "parquet":
        return _open_parquet(plain, options, settings)
    decoded = Decoded(plain, options.encoding)
    lines = split_lines(iter(decoded))
    if file_format == "jsonl":
        objects = ObjectReader(options, settings.max_text_chars)
        return Source(objects.from_lines(lines), lambda: {**_names(objects), "encoding": decoded.encoding})
    if file_format == "txt":
        return Source(_plain_lines(lines, settings.max_text_chars), lambda: {"encoding": decoded.encoding})
    separator = "\t" if file_format == "tsv" else ","
    table = TableReader(lines, options, separator=separator, max_text_chars=settings.max_text_chars)
    return Source(iter(table), lambda: {**_columns(table), "encoding": decoded.encoding})


def open_items(items: list[msgspec.Raw], options: UploadOptions, settings: Settings) -> Source:
    """The rows of a JSON body."""
    objects = ObjectReader(options, settings.max_text_chars)
    return Source(objects.from_items(items), lambda: _names(objects))


def _open_parquet(pieces: Iterator[bytes], options: UploadOptions, settings: Settings) -> Source:
    table = ParquetReader(pieces, options, settings.max_text_chars)
    return Source(iter(table), lambda: {**_columns(table), "column_types": table.column_types})


def _plain_lines(lines: Iterator[str], max_text_chars: int) -> Iterator[Row]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield make_row(number, line.rstrip("\r\n"), None, max_text_chars)


def _columns(table: TableReader | ParquetReader) -> dict[str, Any]:
    return {
        "columns": table.columns,
        "text_at": table.text_at,
        "text_column": table.columns[table.text_at],
        "id_column": table.id_column,
    }


def _names(objects: ObjectReader) -> dict[str, Any]:
    name = objects.text_column or "text"
    return {"columns": list(objects.columns) or [name], "text_column": name, "id_column": objects.id_column}
