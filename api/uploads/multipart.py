"""Reads multipart/form-data as a stream: the small fields, and the bytes of the one file as they come.

Starlette's own form parser would put the whole file into a temporary one first.
"""

from collections.abc import Iterator
from typing import Any

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from shared.errors import MalformedRequestError, TooLargeError

MAX_FIELDS_BYTES = 1 << 16
FILE_FIELD = "file"


class Form:
    """A form that is being read: `read_head` goes up to the file, `file_pieces` through it and to the end.

    Raises:
        MalformedRequestError: the body is no such form.
        TooLargeError: the fields beside the file are too large.
    """

    def __init__(self, pieces: Iterator[bytes], content_type: str) -> None:
        boundary = parse_options_header(content_type)[1].get(b"boundary")
        if not boundary:
            raise MalformedRequestError("the multipart form names no boundary; let your HTTP client set Content-Type")
        self.fields: dict[str, str] = {}
        self.file_name: str | None = None
        self._pieces = pieces
        self._has_file = False
        self._is_complete = False
        self._fields_bytes = 0
        self._header_name = self._header_value = b""
        self._headers: dict[bytes, bytes] = {}
        self._field: str | None = None
        self._field_data = b""
        self._file_data: list[bytes] = []
        self._parser = MultipartParser(boundary, self._callbacks())

    def read_head(self) -> None:
        """Read up to the first bytes of the file."""
        for piece in self._pieces:
            self._feed(piece)
            if self._has_file:
                return
        raise MalformedRequestError("the form has no file; send it as -F file=@comments.csv", param=FILE_FIELD)

    def file_pieces(self) -> Iterator[bytes]:
        """The bytes of the file; fields that come after it are in `fields` at the end."""
        yield from self._take_file_data()
        for piece in self._pieces:
            self._feed(piece)
            yield from self._take_file_data()
        if not self._is_complete:
            raise MalformedRequestError("the form is cut short; send it again")

    def _feed(self, piece: bytes) -> None:
        try:
            self._parser.write(piece)
        except MultipartParseError as error:
            raise MalformedRequestError(f"the multipart form is malformed: {error}") from error

    def _take_file_data(self) -> list[bytes]:
        data, self._file_data = self._file_data, []
        return data

    def _callbacks(self) -> Any:  # noqa: ANN401  the library's own typed dictionary is not exported by all versions
        return {
            "on_part_begin": self._on_part_begin,
            "on_header_field": self._on_header_field,
            "on_header_value": self._on_header_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers_finished,
            "on_part_data": self._on_part_data,
            "on_part_end": self._on_part_end,
            "on_end": self._on_end,
        }

    def _on_part_begin(self) -> None:
        self._headers = {}

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[self._header_name.lower()] = self._header_value
        self._header_name = self._header_value = b""

    def _on_headers_finished(self) -> None:
        disposition = parse_options_header(self._headers.get(b"content-disposition"))[1]
        name = _as_text(disposition.get(b"name", b""))
        if name != FILE_FIELD:
            self._field, self._field_data = name, b""
            return
        if self._has_file:
            raise MalformedRequestError("the form has two files; send one a job", param=FILE_FIELD)
        self._has_file, self._field = True, None
        self.file_name = _as_text(disposition.get(b"filename", b"")) or None

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._field is None:
            self._file_data.append(data[start:end])
            return
        self._fields_bytes += end - start
        if self._fields_bytes > MAX_FIELDS_BYTES:
            raise TooLargeError(f"the form's fields have more than {MAX_FIELDS_BYTES:,} bytes; send the text as file=")
        self._field_data += data[start:end]

    def _on_part_end(self) -> None:
        if self._field is not None:
            self.fields[self._field] = self._field_data.decode("utf-8", "replace")

    def _on_end(self) -> None:
        self._is_complete = True


def _as_text(value: bytes) -> str:
    """A parameter of a header. The library takes headers for Latin-1; browsers and curl send UTF-8."""
    text = value.decode("utf-8", "replace")
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text
