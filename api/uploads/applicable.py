"""Refuses upload options that do not apply to the kind of upload; they would be ignored without an error."""

from api.uploads.options import UploadOptions
from shared.errors import MalformedRequestError

_TABLES = ("csv", "tsv", "xlsx")
_TEXT_FILES = ("csv", "tsv", "txt", "jsonl", "json")
_WITH_FIELDS = ("csv", "tsv", "xlsx", "parquet", "jsonl", "json")
# The formats that each option applies to.
_FORMATS = {"sheet": ("xlsx",), "header_row": _TABLES, "encoding": _TEXT_FILES,
            "text_column": _WITH_FIELDS, "id_column": _WITH_FIELDS}  # fmt: skip
OPTIONS_OF_FILES = frozenset(("format", "encoding", "header", "header_row", "sheet"))


def require_of_format(options: UploadOptions, file_format: str) -> None:
    """Check that the options are for files of this format. `txt` is a file with a text on each line.

    Raises:
        MalformedRequestError: one is not.
    """
    for name, formats in _FORMATS.items():
        if getattr(options, name) is None or file_format in formats:
            continue
        *others, last = formats
        listed = f"{', '.join(others)} and {last}" if others else last
        if file_format == "txt":
            raise MalformedRequestError(
                f"{name}= is for {listed}; the file is txt, with a text on each line. If it is a table, say format=csv "
                "or format=tsv",
                param=name,
            )
        raise MalformedRequestError(f"{name}= is for {listed}; the file is {file_format}", param=name)


def refuse_options_of_files(options: UploadOptions) -> None:
    """Refuse file options for a JSON body, which contains the texts themselves.

    Raises:
        MalformedRequestError: names the option.
    """
    unset = UploadOptions()
    name = next((name for name in sorted(OPTIONS_OF_FILES) if getattr(options, name) != getattr(unset, name)), None)
    if name is not None:
        raise MalformedRequestError(
            f"{name}= applies to an uploaded file only; leave it out for a JSON body with texts or items", param=name
        )
