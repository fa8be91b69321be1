"""Texts and rows of a file on this machine, read as a job's file is: same formats, encodings and text columns."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from api.uploads.options import parse_options
from api.uploads.sources import Source, choose_format, open_file
from cli.uploads import READ_BYTES, STDIN, readable_name
from cli.wording import in_cli_words
from shared.errors import KobertError, RequestError
from shared.settings import Settings
from shared.verdict import Failure

# A pipe or a file on disk is the user's own; what a service takes is the service's to say.
_NO_LIMIT = 1 << 62


@dataclass(frozen=True)
class ReadingOptions:
    """What a user said about a file; None where it is to be found out."""

    format: str | None = None
    text_column: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    header_row: int | None = None

    @classmethod
    def taken(cls, options: dict[str, Any]) -> "ReadingOptions":
        """Take those that a command has out of its options."""
        others = ("text_column", "encoding", "sheet", "header_row")
        return cls(options.pop("file_format"), **{name: options.pop(name, None) for name in others})


@dataclass(frozen=True)
class Item:
    """A text to classify, with what to call it in an error; or the error of a row that is none."""

    name: str
    text: str | None
    error: Failure | None = None


@contextmanager
def open_rows(file: Path, reading: ReadingOptions) -> Iterator[Source]:
    """The rows of a file, or of standard input for `-`.

    Raises:
        KobertError: the file cannot be read, said in the words of the command line.
    """
    is_stdin = str(file) == STDIN
    try:
        with sys.stdin.buffer if is_stdin else file.open("rb") as source:
            fields = {name: value for name, value in vars(reading).items() if value is not None}
            options = parse_options(fields if not is_stdin or reading.format else {**fields, "format": "txt"})
            file_format = choose_format(options, None if is_stdin else readable_name(file), "")
            pieces = iter(lambda: source.read(READ_BYTES), b"")
            yield open_file(pieces, file_format, options, _limits())
    except RequestError as error:
        raise KobertError(f"{click.format_filename(file)}: {in_cli_words(error.message)}") from error
    except OSError as error:
        raise KobertError(f"{click.format_filename(file)} cannot be read: {error.strerror or error}") from error


def read_items(file: Path, reading: ReadingOptions) -> Iterator[Item]:
    """Every row of the file that can be sent, and in its place what is wrong with one that cannot.

    Raises:
        KobertError: as `open_rows`.
    """
    with open_rows(file, reading) as source:
        for row in source.rows:
            # A text that is empty or too long is for the service to refuse.
            error = None if row.text is not None or row.error is None else row.error
            yield Item(f"line {row.line}", row.text, error)


def _limits() -> Settings:
    values: Mapping[str, Any] = {"max_job_bytes": _NO_LIMIT, "max_text_chars": _NO_LIMIT}
    return Settings.model_construct(**values)
