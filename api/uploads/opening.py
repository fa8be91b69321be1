"""Opens the body of an upload, a form, a JSON object or the file itself, and checks its options."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import msgspec
from multipart import parse_options_header

from api.http.json_values import require_few_values
from api.uploads.compression import unpacked
from api.uploads.encodings import known_encoding
from api.uploads.json_items import items_of
from api.uploads.multipart import Form
from api.uploads.options import READING_OPTIONS, UploadOptions
from api.uploads.pull import Body
from api.uploads.sniffing import peek
from api.uploads.sources import Source, choose_format, open_file, open_items
from shared.errors import MalformedRequestError, TooLargeError
from shared.settings import Settings

JSON = "application/json"
JSON_FORMAT = "json"
MULTIPART = "multipart/form-data"
# Of a body that has to be read with Python's own parser; they take some 20 MB.
MAX_LENIENT_VALUES = 300_000
# A longer number is no id, and Python would refuse to read it.
MAX_DIGITS = 4_000


@dataclass(frozen=True)
class UploadRequest:
    """What is known of an upload before its body is read."""

    owner: str
    content_type: str
    query: Mapping[str, str]
    idempotency_digest: str | None

    @property
    def media_type(self) -> str:
        """The content type without its parameters."""
        return _media_type(self.content_type)


@dataclass(frozen=True)
class Opened:
    """An upload whose rows can be read. `final_options` checks options that came after the file; call it last."""

    source: Source
    format: str
    file_name: str | None
    final_options: Callable[[], UploadOptions]


class UploadOpener:
    """Thread-safe. Checks the options of an upload as soon as they are known, before any of its rows is read."""

    def __init__(self, settings: Settings, check_options: Callable[[Mapping[str, Any]], UploadOptions]) -> None:
        self._settings = settings
        self._check_options = check_options

    def open(self, request: UploadRequest, body: Body) -> Opened:
        """Read up to the first row.

        Raises:
            RequestError: an option is wrong, or the body is not what its content type says.
        """
        if request.media_type == MULTIPART:
            return self._open_form(request, body)
        if request.media_type == JSON and "format" not in request.query:
            return self._open_json(request, body)
        options = self._check_options(request.query)
        name = options.file_name
        file_format = choose_format(options, name, request.media_type)
        source = open_file(iter(body), file_format, options, self._settings, _charset_of(request.content_type))
        return Opened(source, file_format, name, lambda: options)

    def _open_form(self, request: UploadRequest, body: Body) -> Opened:
        form = Form(iter(body), request.content_type)
        form.read_head()
        said_before = dict(form.fields)
        options = self._check_options({**request.query, **said_before})
        file_name = form.file_name or options.file_name
        file_format = choose_format(options, file_name, _media_type(form.file_type))
        pieces = _then_check(form, said_before)
        source = open_file(pieces, file_format, options, self._settings, _charset_of(form.file_type))

        def final_options() -> UploadOptions:
            return options if form.fields == said_before else self._check_options({**request.query, **form.fields})

        return Opened(source, file_format, file_name, final_options)

    def _open_json(self, request: UploadRequest, body: Body) -> Opened:
        head, pieces = peek(unpacked(iter(body), self._settings.max_job_bytes))
        if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
            options = self._check_options(request.query)
            source = open_file(pieces, JSON_FORMAT, options, self._settings)
            return Opened(source, JSON_FORMAT, options.file_name, lambda: options)
        fields = _decode_object(_read_all(pieces, self._settings.max_body_bytes))
        items = fields.pop("texts", None) or fields.pop("items", None)
        values = {**request.query, **{name: _decode_option(name, value) for name, value in fields.items()}}
        options = self._check_options(values)
        source = open_items(_decode_items(items), options, self._settings)
        return Opened(source, JSON_FORMAT, options.file_name, lambda: options)


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _charset_of(content_type: str) -> str | None:
    """The encoding that the content type tells. UTF-8 is what clients say without looking."""
    try:
        encoding = known_encoding(parse_options_header(content_type)[1].get("charset", ""))
    except MalformedRequestError:
        return None
    return None if encoding in {"utf-8", "cp1252"} else encoding


def _then_check(form: Form, said_before: Mapping[str, str]) -> Iterator[bytes]:
    """The file; then refuse options that came too late to be followed."""
    yield from form.file_pieces()
    late = sorted(name for name in READING_OPTIONS if form.fields.get(name) != said_before.get(name))
    if late:
        raise MalformedRequestError(f"{', '.join(late)} came after the file; put it before file= in the form")


def _read_all(body: Iterable[bytes], max_bytes: int) -> bytearray:
    raw = bytearray()
    for piece in body:
        raw += piece
        if len(raw) > max_bytes:
            raise TooLargeError(
                f"the JSON body is larger than {max_bytes:,} bytes (MAX_BODY_BYTES); send it as a jsonl file"
            )
    return raw


def _decode_object(raw: bytearray) -> dict[str, msgspec.Raw]:
    try:
        return msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, RecursionError) as error:
        fields = _decode_leniently(raw)
        if fields is not None:
            return fields
        raise MalformedRequestError(f'the body is no JSON object such as {{"texts": ["…"]}}: {error}') from error


def _decode_leniently(raw: bytearray) -> dict[str, msgspec.Raw] | None:
    """A body with half an emoji or NaN somewhere: its rows are told apart, so that only the one at fault is lost.

    Raises:
        TooLargeError: it has so many values that they would not fit into memory.
    """
    require_few_values(raw, MAX_LENIENT_VALUES)
    try:
        fields = json.loads(raw, parse_int=_small_int, parse_constant=lambda _: None)
        return {str(name): msgspec.Raw(json.dumps(value).encode()) for name, value in dict(fields).items()}
    except (ValueError, TypeError, RecursionError):
        return None


def _small_int(digits: str) -> int | None:
    return int(digits) if len(digits) <= MAX_DIGITS else None


def _decode_option(name: str, value: msgspec.Raw) -> object:
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError) as error:
        raise MalformedRequestError(f"{name[:40]!r} cannot be read: {error}") from error


def _decode_items(items: msgspec.Raw | None) -> Iterable[msgspec.Raw | str]:
    if items is not None:
        decoded = items_of(items)
        first = next(decoded, None)
        if first is not None:
            return chain([first], decoded)
    raise MalformedRequestError(
        'send "texts", an array of strings, or "items", an array of {"id", "text"}', param="texts"
    )
