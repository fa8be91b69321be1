"""Takes one upload from its first byte to a durable job. Blocking: runs in a thread of the desk's pool."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec
from redis.exceptions import RedisError

from api.store.catalogue import Catalogue
from api.uploads.compression import unpacked
from api.uploads.intake import Intake
from api.uploads.multipart import Form
from api.uploads.options import READING_OPTIONS, UploadOptions, parse_options
from api.uploads.pull import BodyPull
from api.uploads.sources import Source, choose_format, open_file, open_items
from shared.errors import MalformedRequestError, TooLargeError
from shared.jobs.records import JobSpec
from shared.log import get_logger
from shared.settings import Settings

log = get_logger(__name__)

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
        options = parse_options(request.query)
        name = options.file_name
        file_format = choose_format(options, name, request.media_type)
        return _Opened(open_file(iter(body), file_format, options, self._settings), file_format, name, request.query)

    def _open_form(self, request: UploadRequest, body: BodyPull) -> _Opened:
        form = Form(iter(body), request.content_type)
        form.read_head()
        said_before = dict(form.fields)
        options = parse_options({**request.query, **said_before})
        file_format = choose_format(options, form.file_name, "")
        pieces = _then_check(form, said_before)
        source = open_file(pieces, file_format, options, self._settings)
        return _Opened(source, file_format, form.file_name, _Together(request.query, form.fields))

    def _open_json(self, request: UploadRequest, body: BodyPull) -> _Opened:
        max_bytes = self._settings.max_body_bytes
        fields = _decode_object(_read_all(unpacked(iter(body), max_bytes), max_bytes))
        items = fields.pop("texts", None) or fields.pop("items", None)
        values = {**request.query, **{name: msgspec.json.decode(value) for name, value in fields.items()}}
        options = parse_options(values)
        source = open_items(_decode_items(items), options, self._settings)
        return _Opened(source, "json", None, values)

    def _spec(self, opened: _Opened, body: BodyPull) -> JobSpec:
        options: UploadOptions = parse_options(dict(opened.fields))
        if options.webhook_url is not None:
            self._check_webhook(options.webhook_url)
        return JobSpec(
            format=opened.format,
            file_name=opened.file_name,
            metadata=options.metadata,
            webhook_url=options.webhook_url,
            bytes=body.received_bytes,
            **opened.source.describe(),
        )


class _Together(Mapping[str, Any]):
    """A form's fields over the query, as they are when they are looked at."""

    def __init__(self, query: Mapping[str, str], fields: Mapping[str, str]) -> None:
        self._query, self._fields = query, fields

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401  a mapping of whatever the client sends
        return {**self._query, **self._fields}[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._query, **self._fields})

    def __len__(self) -> int:
        return len({**self._query, **self._fields})


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
