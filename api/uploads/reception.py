"""Takes one upload from its first byte to a durable job. Blocking: runs in a thread of the desk's pool."""

import json
from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from multipart import parse_options_header
from redis.exceptions import RedisError

from api.uploads.compression import unpacked
from api.uploads.encodings import known_encoding
from api.uploads.intake import Intake
from api.uploads.json_items import json_items
from api.uploads.multipart import Form
from api.uploads.options import READING_OPTIONS, UploadOptions, parse_options
from api.uploads.pull import BodyPull
from api.uploads.sniffing import peek
from api.uploads.sources import Source, choose_format, open_file, open_items
from shared.errors import MalformedRequestError, TooLargeError
from shared.jobs.catalogue import Catalogue
from shared.jobs.records import JobSpec
from shared.log import get_logger
from shared.settings import Settings

log = get_logger(__name__)

JSON = "application/json"
JSON_FORMAT = "json"
MULTIPART = "multipart/form-data"
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
class _Opened:
    """An upload whose rows can be read; `fields` gives all options, also those that came after the file."""

    source: Source
    format: str
    file_name: str | None
    fields: Mapping[str, Any]


class Reception:
    """Thread-safe."""

    def __init__(self, catalogue: Catalogue, settings: Settings, check_webhook: Callable[[str], None]) -> None:
        self._catalogue = catalogue
        self._settings = settings
        self._intake = Intake(catalogue, settings)
        self._check_webhook = check_webhook

    def receive(self, request: UploadRequest, body: BodyPull) -> str:
        """Read the body and return the id of the job; when anything goes wrong, nothing is left of it.

        Raises:
            RequestError: the upload is refused.
            RedisError: the store does not answer.
        """
        opened = self._open(request, body)
        try:
            return self._store(request, opened, body)
        finally:
            opened.source.close()

    def _store(self, request: UploadRequest, opened: _Opened, body: BodyPull) -> str:
        job_id = self._catalogue.begin(request.owner)
        try:
            total = self._intake.store(job_id, opened.source)
            spec = self._spec(opened, body)
            return self._intake.commit(job_id, request.owner, spec, total, request.idempotency_digest)
        except BaseException:
            self._discard(job_id, request.owner)
            raise

    def _discard(self, job_id: str, owner: str) -> None:
        try:
            self._catalogue.abort(job_id, owner)
        except RedisError:
            log.info("upload_left_to_expire", job_id=job_id)

    def _open(self, request: UploadRequest, body: BodyPull) -> _Opened:
        if request.media_type == MULTIPART:
            return self._open_form(request, body)
        if request.media_type == JSON and "format" not in request.query:
            return self._open_json(request, body)
        options = _with_charset(parse_options(request.query), request.content_type)
        name = options.file_name
        file_format = choose_format(options, name, request.media_type)
        return _Opened(open_file(iter(body), file_format, options, self._settings), file_format, name, request.query)

    def _open_form(self, request: UploadRequest, body: BodyPull) -> _Opened:
        form = Form(iter(body), request.content_type)
        form.read_head()
        said_before = dict(form.fields)
        options = _with_charset(parse_options({**request.query, **said_before}), form.file_type)
        file_name = form.file_name or options.file_name
        file_format = choose_format(options, file_name, _media_type(form.file_type))
        pieces = _then_check(form, said_before)
        source = open_file(pieces, file_format, options, self._settings)
        # Live: fields that come after the file are in it when the file is through.
        return _Opened(source, file_format, file_name, ChainMap(form.fields, dict(request.query)))

    def _open_json(self, request: UploadRequest, body: BodyPull) -> _Opened:
        head, pieces = peek(unpacked(iter(body), self._settings.max_job_bytes))
        if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
            options = parse_options(request.query)
            source = open_file(pieces, JSON_FORMAT, options, self._settings)
            return _Opened(source, JSON_FORMAT, options.file_name, request.query)
        fields = _decode_object(_read_all(pieces, self._settings.max_body_bytes))
        items = fields.pop("texts", None) or fields.pop("items", None)
        values = {**request.query, **{name: _decode_option(name, value) for name, value in fields.items()}}
        options = parse_options(values)
        source = open_items(_decode_items(items), options, self._settings)
        return _Opened(source, JSON_FORMAT, options.file_name, values)

    def _spec(self, opened: _Opened, body: BodyPull) -> JobSpec:
        options: UploadOptions = parse_options(dict(opened.fields))
        if options.webhook_url is not None:
            self._check_webhook(options.webhook_url)
        return JobSpec(
            file_name=opened.file_name,
            metadata=options.metadata,
            webhook_url=options.webhook_url,
            bytes=body.received_bytes,
            **{"format": opened.format, **opened.source.describe()},
        )


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _with_charset(options: UploadOptions, content_type: str) -> UploadOptions:
    """The options, with the encoding that the content type tells. UTF-8 is what clients say without looking."""
    charset = parse_options_header(content_type)[1].get("charset", "")
    if options.encoding is not None or not charset:
        return options
    try:
        encoding = known_encoding(charset)
    except MalformedRequestError:
        return options
    return options if encoding in {"utf-8", "cp1252"} else msgspec.structs.replace(options, encoding=encoding)


def _then_check(form: Form, said_before: Mapping[str, str]) -> Iterator[bytes]:
    """The file; then refuse options that came too late to be followed."""
    yield from form.file_pieces()
    late = sorted(name for name in READING_OPTIONS if form.fields.get(name) != said_before.get(name))
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
        fields = _decode_leniently(raw)
        if fields is not None:
            return fields
        raise MalformedRequestError(f'the body is no JSON object such as {{"texts": ["…"]}}: {error}') from error


def _decode_leniently(raw: bytes) -> dict[str, msgspec.Raw] | None:
    """A body with half an emoji or NaN somewhere: its rows are told apart, so that only the one at fault is lost."""
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


def _decode_items(items: msgspec.Raw | None) -> list[msgspec.Raw | str]:
    if items is not None:
        raw = bytes(memoryview(items))
        decoded: list[msgspec.Raw | str]
        try:
            decoded = [*msgspec.json.decode(raw, type=list[msgspec.Raw])]
        except (msgspec.DecodeError, RecursionError):
            decoded = _split_leniently(raw)
        if decoded:
            return decoded
    raise MalformedRequestError(
        'send "texts", an array of strings, or "items", an array of {"id", "text"}', param="texts"
    )


def _split_leniently(raw: bytes) -> list[msgspec.Raw | str]:
    if not raw.startswith(b"["):
        return []
    return [item.decode() for item in json_items(iter([raw]), raw)]
