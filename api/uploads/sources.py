"""Opens an upload of any format as rows, and says afterwards what it was."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import PurePath
from typing import Any

import msgspec

from api.uploads.applicable import refuse_options_of_files, require_of_format
from api.uploads.compression import unpacked
from api.uploads.decoding import CutText, Decoded, table_lines, too_long
from api.uploads.extracted import ExtractedTable
from api.uploads.json_items import is_array, json_items, json_rows
from api.uploads.kakaotalk import KakaoTalkChat, is_chat
from api.uploads.objects import ObjectReader
from api.uploads.options import FORMATS, UploadOptions
from api.uploads.rows import bad_row, make_row
from api.uploads.sniffing import peek, true_format
from api.uploads.tables import TableReader
from api.uploads.text_tables import read_ahead, table_format
from shared.errors import UnsupportedMediaError
from shared.jobs.records import Row
from shared.settings import Settings

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_BY_MEDIA_TYPE = {
    "text/csv": "csv",
    "application/csv": "csv",
    "text/x-csv": "csv",
    "text/tab-separated-values": "tsv",
    "application/jsonl": "jsonl",
    "application/x-ndjson": "jsonl",
    "application/ndjson": "jsonl",
    "application/json-lines": "jsonl",
    "application/json": "json",
    "text/json": "json",
    "text/plain": "txt",
    "application/vnd.apache.parquet": "parquet",
    "application/x-parquet": "parquet",
    _XLSX: "xlsx",
    "application/vnd.ms-excel": "xls",
}
_BY_SUFFIX = {".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json",
              ".txt": "txt", ".xlsx": "xlsx", ".xlsm": "xlsx", ".xls": "xls", ".parquet": "parquet",
              ".pq": "parquet"}  # fmt: skip


def _nothing() -> None:
    return


@dataclass(frozen=True)
class Source:
    """Rows to iterate once; `describe` gives fields of the `JobSpec`, complete when the rows are through.

    `close` frees what reads them, also before the end.
    """

    rows: Iterator[Row]
    describe: Callable[[], Mapping[str, Any]]
    close: Callable[[], None] = _nothing


def choose_format(options: UploadOptions, file_name: str | None, media_type: str) -> str:
    """As said, or by the file's name, or by the content type.

    Raises:
        UnsupportedMediaError: none of them tells.
    """
    name = (file_name or "").lower().removesuffix(".gz")
    found = options.format or _BY_SUFFIX.get(PurePath(name).suffix) or _BY_MEDIA_TYPE.get(media_type)
    if found is None:
        raise UnsupportedMediaError(
            f"the file came as {media_type or 'no content type'}; say what it is with format= ({', '.join(FORMATS)}), "
            "or save it as one of these",
            param="format",
        )
    return found


def open_file(
    pieces: Iterator[bytes], file_format: str, options: UploadOptions, settings: Settings, charset: str | None = None
) -> Source:
    """The rows of a file in one of `FORMATS`, packed by gzip or not.

    `charset`: what the file's content type tells; the encoding where the options have none.

    Raises:
        MalformedRequestError: the file as a whole cannot be read, now or while iterating.
        UnsupportedMediaError: it is of a kind that is not read.
    """
    head, plain = peek(unpacked(pieces, settings.max_job_bytes))
    file_format = true_format(head, file_format, is_said=options.format is not None)
    # A file that is called text may be a table.
    if file_format != "txt" or options.format is not None:
        require_of_format(options, file_format)
    if file_format in {"xlsx", "parquet"}:
        return _open_extracted(plain, file_format, options, settings)
    if charset is not None and options.encoding is None:
        options = msgspec.structs.replace(options, encoding=charset)
    return _OPENERS[file_format](plain, options, settings)


def open_items(items: Iterable[msgspec.Raw | str], options: UploadOptions, settings: Settings) -> Source:
    """The rows of a JSON body.

    Raises:
        MalformedRequestError: an option applies to files only.
    """
    refuse_options_of_files(options)
    objects = ObjectReader(options, settings.max_text_chars)
    return Source(objects.from_raw(items), lambda: _names(objects))


def _open_extracted(pieces: Iterator[bytes], kind: str, options: UploadOptions, settings: Settings) -> Source:
    table = ExtractedTable(kind, pieces, options, (settings.max_job_bytes, settings.max_text_chars))
    return Source(
        iter(table), lambda: {**_columns(table), "format": kind, "column_types": table.column_types}, table.close
    )


def _open_csv(pieces: Iterator[bytes], options: UploadOptions, settings: Settings) -> Source:
    decoded = Decoded(pieces, options.encoding, table_lines)
    return _open_table(decoded, iter(decoded), options, settings, "csv")


def _open_tsv(pieces: Iterator[bytes], options: UploadOptions, settings: Settings) -> Source:
    decoded = Decoded(pieces, options.encoding, table_lines)
    return _open_table(decoded, iter(decoded), options, settings, "tsv")


def _open_table(
    decoded: Decoded, lines: Iterator[str], options: UploadOptions, settings: Settings, file_format: str
) -> Source:
    separator = "\t" if file_format == "tsv" else ","
    table = TableReader(lines, options, separator=separator, max_text_chars=settings.max_text_chars)
    return Source(iter(table), lambda: {**_columns(table), "format": file_format, "encoding": decoded.encoding})


def _open_jsonl(pieces: Iterator[bytes], options: UploadOptions, settings: Settings) -> Source:
    objects = ObjectReader(options, settings.max_text_chars)
    decoded = Decoded(pieces, options.encoding, json_rows)
    rows = objects.from_items(decoded) if is_array(decoded.head) else objects.from_lines(decoded)
    return Source(rows, lambda: {**_names(objects), "format": "jsonl", "encoding": decoded.encoding})


def _open_json(pieces: Iterator[bytes], options: UploadOptions, settings: Settings) -> Source:
    objects = ObjectReader(options, settings.max_text_chars)
    decoded = Decoded(pieces, options.encoding, json_items)
    rows = objects.from_items(decoded)
    return Source(rows, lambda: {**_names(objects), "format": "json", "encoding": decoded.encoding})


def _open_txt(pieces: Iterator[bytes], options: UploadOptions, settings: Settings) -> Source:
    decoded = Decoded(pieces, options.encoding)
    lines = iter(decoded)
    ahead = read_ahead(lines)
    lines = chain(ahead, lines)
    if options.format is None and options.header_row is None and is_chat(ahead):
        chat = KakaoTalkChat(lines, ahead, options, settings.max_text_chars)
        return Source(iter(chat), lambda: {**_columns(chat), "format": "txt", "encoding": decoded.encoding})
    table = table_format(ahead, options, is_wide=decoded.is_wide) if options.format is None else None
    if table is not None:
        require_of_format(options, table)
        return _open_table(decoded, lines, options, settings, table)
    require_of_format(options, "txt")
    rows = _plain_lines(lines, settings.max_text_chars)
    return Source(rows, lambda: {"format": "txt", "encoding": decoded.encoding})


_OPENERS: Mapping[str, Callable[[Iterator[bytes], UploadOptions, Settings], Source]] = {
    "csv": _open_csv,
    "tsv": _open_tsv,
    "jsonl": _open_jsonl,
    "json": _open_json,
    "txt": _open_txt,
}


def _plain_lines(lines: Iterator[str], max_text_chars: int) -> Iterator[Row]:
    for number, line in enumerate(lines, start=1):
        if isinstance(line, CutText):
            yield bad_row(number, "text_too_long", too_long(f"line {number}"), line)
        elif line.strip():
            yield make_row(number, line.rstrip("\r\n"), None, max_text_chars)


def _columns(table: TableReader | ExtractedTable | KakaoTalkChat) -> dict[str, Any]:
    return {
        "columns": table.columns,
        "text_at": table.text_at,
        "text_column": table.columns[table.text_at],
        "id_column": table.id_column,
        "header_row": table.header_row,
    }


def _names(objects: ObjectReader) -> dict[str, Any]:
    name = objects.text_column or "text"
    columns = list(objects.columns)
    if name not in columns:
        # A path has a column of its own, and so has a text behind more fields than a table shows.
        columns.append(name)
    return {"columns": columns, "text_column": name, "id_column": objects.id_column}
