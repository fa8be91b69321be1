"""Reads multipart/form-data as a stream: the small fields, and the bytes of the one file as they come.

Starlette's own form parser would put the whole file into a temporary one first.
"""

import re
from collections.abc import Iterator
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import collapse_rfc2231_value

from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser, parse_options_header

from shared.errors import MalformedRequestError, TooLargeError

MAX_PARTS = 32
MAX_FIELDS_BYTES = 1 << 16
MAX_BOUNDARY_CHARS = 256
FILE_FIELD = "file"
# What browsers call the data of a script, which has no name.
_NO_NAME = "blob"
_ENCODED_WORD = re.compile(r"=\?[^?\s]+\?[bq]\?[^?\s]*\?=", re.IGNORECASE)


class Form:
    """A form that is being read: `read_head` goes up to the file, `file_pieces` through it and to the end.

    Raises:
        MalformedRequestError: the body is no such form.
        TooLargeError: it has too many parts, or the fields beside the file are too large.
    """

    def __init__(self, pieces: Iterator[bytes], content_type: str) -> None:
        boundary = parse_options_header(content_type)[1].get("boundary", "")
        if not 0 < len(boundary) <= MAX_BOUNDARY_CHARS:
            raise MalformedRequestError("the multipart form names no boundary; let your HTTP client set Content-Type")
        self.fields: dict[str, str] = {}
        self.file_name: str | None = None
        self.file_type = ""
        self._pieces = pieces
        self._has_file = False
        self._fields_bytes = 0
        self._field: str | None = None
        self._field_data = bytearray()
        self._file_data: list[bytes] = []
        try:
            # Header values are decoded below: old clients send names in CP949.
            self._parser = PushMultipartParser(boundary, max_segment_count=MAX_PARTS, header_charset="latin-1")
        except MultipartError as error:
            raise MalformedRequestError(f"the multipart form is malformed: {error}") from error

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
        try:
            self._parser.close()
        except MultipartError as error:
            raise MalformedRequestError("the form is cut short; send it again") from error

    def _feed(self, piece: bytes) -> None:
        try:
            for event in self._parser.parse(piece):
                if isinstance(event, MultipartSegment):
                    self._begin_part(event)
                elif event is None:
                    self._end_part()
                else:
                    self._take(event)
        except ParserLimitReached as error:
            raise TooLargeError(f"the form has more than {MAX_PARTS} parts, or a header that is too long") from error
        except MultipartError as error:
            raise MalformedRequestError(f"the multipart form is malformed: {error}") from error

    def _begin_part(self, part: MultipartSegment) -> None:
        # The library's own reading of the header leaves filename* out.
        headers = Message()
        for key, value in part.headerlist:
            headers[key] = value
        parameters = headers.get_params([], header="content-disposition")
        name = _as_text(next((value for key, value in parameters if key == "name" and isinstance(value, str)), ""))
        if name != FILE_FIELD:
            self._field = name
            self._count(len(name))
            return
        if self._has_file:
            raise MalformedRequestError("the form has two files; send one a job", param=FILE_FIELD)
        self._has_file, self._field = True, None
        self.file_name = _file_name([value for key, value in parameters if key == "filename"])
        self.file_type = headers.get("content-type", "")

    def _take(self, data: bytes | bytearray) -> None:
        if self._field is None:
            self._file_data.append(bytes(data))
            return
        self._count(len(data))
        self._field_data += data

    def _count(self, size: int) -> None:
        self._fields_bytes += size
        if self._fields_bytes > MAX_FIELDS_BYTES:
            raise TooLargeError(f"the form's fields have more than {MAX_FIELDS_BYTES:,} bytes; send the text as file=")

    def _end_part(self) -> None:
        if self._field is not None:
            self.fields[self._field] = self._field_data.decode("utf-8", "replace")
            self._field_data.clear()

    def _take_file_data(self) -> list[bytes]:
        data, self._file_data = self._file_data, []
        return data


def _file_name(values: list[str | tuple[str | None, str | None, str]]) -> str | None:
    """The file's name in the ways that clients write it: as RFC 8187 (`filename*`), as RFC 2047 (.NET), or plain."""
    extended = [value for value in values if isinstance(value, tuple)]
    # Browsers write a quote within a name so.
    plain = [_as_text(value).replace("%22", '"') for value in values if isinstance(value, str)]
    if extended:
        # An unknown charset counts as none.
        name = collapse_rfc2231_value(extended[0], errors="replace")
    else:
        name = _decoded_word(plain[0]) if plain else ""
    # Old browsers send the whole path on the client's disk.
    name = name.rpartition("\\")[2].strip()
    return None if name in {"", _NO_NAME} else name


def _decoded_word(name: str) -> str:
    if not _ENCODED_WORD.fullmatch(name.strip()):
        return name
    try:
        return str(make_header(decode_header(name.strip())))
    except (LookupError, UnicodeError, ValueError, MessageError):
        return name


def _as_text(value: str) -> str:
    """A parameter of a header, whose bytes stand in it as Latin-1: UTF-8 from most clients, CP949 from old ones."""
    text = _decoded(value.encode("latin-1", "replace"))
    try:
        # Some clients take their UTF-8 for Latin-1 and encode it once more.
        return text if text.isascii() else text.encode("latin-1").decode()
    except UnicodeError:
        return text


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("cp949", "replace")
