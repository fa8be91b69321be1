"""Opens the body of an upload, a form, a JSON object or the file itself, and checks its options."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec

from api.uploads.compression import unpacked
from api.uploads.multipart import Form
from api.uploads.options import READING_OPTIONS, UploadOptions
from api.uploads.pull import Body
from api.uploads.sources import Source, choose_format, open_file, open_items
from shared.errors import MalformedRequestError, TooLargeError
from shared.settings import Settings

JSON = "application/json"
MULTIPART = "multipart/form-data"


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
        return self.content_type.partition(";")[0].strip().lower()


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
        return Opened(open_file(iter(body), file_format, options, self._settings), file_format, name, lambda: options)

    def _open_form(self, request: UploadRequest, body: Body) -> Opened:
        form = Form(iter(body), request.content_type)
        form.read_head()
        said_before = dict(form.fields)
        options = self._check_options({**request.query, **said_before})
        file_format = choose_format(options, form.file_name, "")
        pieces = _then_check(form, said_before)
        source = open_file(pieces, file_format, options, self._settings)

        def final_options() -> UploadOptions:
            return options if form.fields == said_before else self._check_options({**request.query, **form.fields})

        return Opened(source, file_format, form.file_name, final_options)

    def _open_json(self, request: UploadRequest, body: Body) -> Opened:
        max_bytes = self._settings.max_body_bytes
        fields = _decode_object(_read_all(unpacked(iter(body), max_bytes), max_bytes))
        items = fields.pop("texts", None) or fields.pop("items", None)
        values = {**request.query, **{name: msgspec.json.decode(value) for name, value in fields.items()}}
        options = self._check_options(values)
        source = open_items(_decode_items(items), options, self._settings)
        return Opened(source, "json", None, lambda: options)


def _then_check(form: Form, said_before: Mapping[str, str]) -> Iterator[bytes]:
    """The file; then refuse options that came too late to be followed."""
    yield from form.file_pieces()
    late = sorted(READING_OPTIONS & (form.fields.keys() - said_before.keys()))
    if late:
        raise MalformedRequestError(f"{', '.join(late)} came after the file; put it before file= in the form")


def _read_all(body: Iterable[bytes], max_bytes: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    for piece in body:
        size += len(piece)
        if size > max_bytes:
            raise TooLargeError(
                f"the JSON body is larger than {max_bytes:,} bytes (MAX_BODY_BYTES); send it as a jsonl file"
            )
        parts.append(piece)
    return b"".join(parts)


def _decode_object(raw: bytes) -> dict[str, msgspec.Raw]:
    try:
        return msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, RecursionError) as error:
        raise MalformedRequestError(f'the body is no JSON object such as {{"texts": ["…"]}}: {error}') from error


def _decode_items(items: msgspec.Raw | None) -> list[msgspec.Raw]:
    if items is not None:
        try:
            decoded = msgspec.json.decode(items, type=list[msgspec.Raw])
        except (msgspec.DecodeError, RecursionError):
            decoded = []
        if list(islice(decoded, 1)):
            return decoded
    raise MalformedRequestError(
        'send "texts", an array of strings, or "items", an array of {"id", "text"}', param="texts"
    )
