"""What a client may say about an upload, in the query, in a form or in a JSON body."""

from collections.abc import Mapping
from typing import Any

import msgspec

from api.uploads.encodings import known_encoding
from shared.errors import MalformedRequestError
from shared.options import VerdictOptions, parse_verdict_options, read_thresholds_text
from shared.span_options import SPAN_FIELDS

FORMATS = ("csv", "tsv", "jsonl", "json", "txt", "xlsx", "parquet")
# OpenAI's limits.
MAX_METADATA_KEYS = 16
MAX_METADATA_KEY_CHARS = 64
MAX_METADATA_VALUE_CHARS = 512
MAX_NAME_CHARS = 200
# Nobody has more rows above the names of columns, and they are read before anything is known of the file.
MAX_HEADER_ROW = 100
# What decides how a file is read; in a form it must come before the file.
READING_OPTIONS = frozenset(("format", "encoding", "text_column", "id_column", "header", "header_row", "sheet"))
# Names that a JSON body may also give as a number.
_PLACES = ("text_column", "id_column", "sheet")


class UploadOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All options, each None where the client said nothing. A column or a sheet is a name, or a number from 1."""

    format: str | None = None
    encoding: str | None = None
    file_name: str | None = None
    text_column: str | None = None
    id_column: str | None = None
    header: bool = True
    header_row: int | None = None
    sheet: str | None = None
    webhook_url: str | None = None
    metadata: dict[str, str] = {}
    strictness: Any = None
    thresholds: Any = None
    policy: str | None = None
    details: bool | None = None
    explain: bool | None = None
    mask: bool | None = None
    mask_char: Any = None
    mask_keep_first: bool | None = None
    mask_labels: Any = None
    offsets: Any = None

    @property
    def is_header_guessed(self) -> bool:
        """Whether nobody has said which line of a table has the names of its columns, or that none has."""
        return self.header and self.header_row is None

    @property
    def verdict(self) -> VerdictOptions | None:
        """What decides about the verdicts and their spans, or None where the client set none of it.

        Raises:
            MalformedRequestError: a value that they cannot have.
        """
        is_text = isinstance(self.thresholds, str)
        thresholds = read_thresholds_text(self.thresholds) if is_text else self.thresholds
        spans = {name: getattr(self, name) for name in SPAN_FIELDS}
        return parse_verdict_options(self.strictness, thresholds, self.details, spans)


def parse_options(fields: Mapping[str, Any]) -> UploadOptions:
    """Options from strings (a query, a form) or JSON values.

    Raises:
        MalformedRequestError: an unknown option, or a value that it cannot have.
    """
    values = {name: value for name, value in fields.items() if value not in ("", None)}
    values |= {name: str(values[name]) for name in _PLACES if type(values.get(name)) is int}
    if isinstance(values.get("metadata"), str):
        values["metadata"] = _parse_metadata(values["metadata"])
    if "header_row" in values:
        values["header_row"] = _parse_header_row(values["header_row"])
    try:
        # Not strict: a form knows no booleans.
        options = msgspec.convert(values, UploadOptions, strict=False)
    except UnicodeEncodeError as error:
        raise MalformedRequestError("the name of an option holds half of a surrogate pair") from error
    except (msgspec.ValidationError, RecursionError) as error:
        known = ", ".join(UploadOptions.__struct_fields__)
        raise MalformedRequestError(f"an option is wrong: {error}; the options are {known}") from error
    if options.format is not None and options.format not in FORMATS:
        raise MalformedRequestError(
            f"format={options.format[:40]} is unknown; use {', '.join(FORMATS)}", param="format"
        )
    if options.encoding is not None:
        known_encoding(options.encoding)
    if options.header_row is not None and not options.header:
        raise MalformedRequestError(
            "header=false says that no line has the names of the columns, and header_row which one; say one of them",
            param="header_row",
        )
    check_metadata(options.metadata)
    return options


def _parse_header_row(value: object) -> int:
    if isinstance(value, str):
        digits = value.strip()
        number = int(digits) if digits.isdecimal() and len(digits) <= len(str(MAX_HEADER_ROW)) else 0
    else:
        number = value if type(value) is int else 0
    if not 1 <= number <= MAX_HEADER_ROW:
        raise MalformedRequestError(
            f"header_row is the number of the line with the names of the columns, from 1 to {MAX_HEADER_ROW}, as a "
            "spreadsheet shows it; if that is the first line with cells, leave header_row out",
            param="header_row",
        )
    return number


def _parse_metadata(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise MalformedRequestError(f"metadata is not a JSON object: {error}", param="metadata") from error


def check_metadata(metadata: Mapping[str, str]) -> None:
    """Check that metadata is small enough to be kept.

    Raises:
        MalformedRequestError: it has too many keys, or one that is too long, or whose value is.
    """
    too_long = [
        key
        for key, value in metadata.items()
        if len(key) > MAX_METADATA_KEY_CHARS or len(value) > MAX_METADATA_VALUE_CHARS
    ]
    if len(metadata) > MAX_METADATA_KEYS or too_long:
        raise MalformedRequestError(
            f"metadata takes {MAX_METADATA_KEYS} keys of {MAX_METADATA_KEY_CHARS} characters with values of "
            f"{MAX_METADATA_VALUE_CHARS}",
            param="metadata",
        )
