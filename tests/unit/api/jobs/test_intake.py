"""Every option of an upload is checked before anything of it is stored."""

import json
from collections.abc import Iterator
from contextvars import copy_context

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from api.access.keyring import Keyring
from api.http.caller import SCOPE_KEY, Presence, note_caller
from api.jobs.capacity import StoreCapacity
from api.jobs.intake import JobIntake
from api.jobs.options import OptionsCheck
from api.jobs.room import JobRoom
from api.jobs.webhook_signature import WebhookSecrets
from api.jobs.writer import JobWriter
from api.uploads.opening import UploadRequest
from shared.errors import MalformedRequestError
from shared.settings import Settings
from tests.support.job_parts import rules_of_any_model
from tests.support.valkey import running_valkey

SETTINGS = Settings(webhook_secret="a secret")
ROOM = JobRoom(SETTINGS, Keyring())
CHECK = OptionsCheck(SETTINGS, rules_of_any_model(Redis(host="127.0.0.1", port=1)), WebhookSecrets(SETTINGS, Keyring()))
PRIVATE_HOOK = "http://127.0.0.1/hook"


class Pieces:
    """A body in pieces of one line; counts what was read."""

    def __init__(self, *pieces: bytes) -> None:
        self.received_bytes = 0
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self.received_bytes += len(piece)
            yield piece


@pytest.fixture
def intake() -> JobIntake:
    """Over a store that cannot be reached: the first thing stored would raise a connection error."""
    unreachable = Redis(host="127.0.0.1", port=1)
    return JobIntake(
        SETTINGS,
        JobWriter(unreachable, SETTINGS, ROOM),
        StoreCapacity(unreachable, SETTINGS, ROOM),
        CHECK,
    )


def upload_of(content_type: str, **query: str) -> UploadRequest:
    return UploadRequest("owner", content_type, query, None)


FILE = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n댓글\n\r\n'


def field(name: str, value: str) -> str:
    return f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'


def form(*parts: str) -> Pieces:
    return Pieces(*(part.encode() for part in (*parts, "--b--\r\n")))


FORM = "multipart/form-data; boundary=b"
BAD_OPTIONS = [
    ("webhook_url", PRIVATE_HOOK),
    ("webhook_url", "ftp://example.com/"),
    ("format", "docx"),
    ("metadata", '{"key": 1}'),
    ("no_such_option", "1"),
]


@pytest.mark.parametrize(("name", "value"), BAD_OPTIONS)
def test_a_bad_option_in_the_query_is_refused_before_the_body_is_read(intake: JobIntake, name: str, value: str) -> None:
    body = Pieces("댓글\n".encode())
    with pytest.raises(MalformedRequestError):
        intake.receive(upload_of("text/plain", **{name: value}), body)
    assert body.received_bytes == 0


@pytest.mark.parametrize(("name", "value"), BAD_OPTIONS)
def test_a_bad_option_before_the_file_of_a_form_is_refused_before_anything_is_stored(
    intake: JobIntake, name: str, value: str
) -> None:
    with pytest.raises(MalformedRequestError):
        intake.receive(upload_of(FORM), form(field(name, value), FILE))


@pytest.mark.parametrize(("name", "value"), BAD_OPTIONS)
def test_a_bad_option_of_a_json_body_is_refused_before_anything_is_stored(
    intake: JobIntake, name: str, value: str
) -> None:
    body = Pieces(json.dumps({"texts": ["댓글"], name: value}).encode())
    with pytest.raises(MalformedRequestError):
        intake.receive(upload_of("application/json"), body)


def test_good_options_reach_the_store(intake: JobIntake) -> None:
    with pytest.raises(RedisConnectionError):
        intake.receive(
            upload_of(FORM), form(field("webhook_url", "https://8.8.8.8/hook"), field("metadata", "{}"), FILE)
        )


@pytest.mark.integration
@pytest.mark.parametrize(("name", "value"), BAD_OPTIONS[:2] + BAD_OPTIONS[3:])
def test_a_bad_option_after_the_file_is_refused_too_and_leaves_nothing_in_the_store(name: str, value: str) -> None:
    with running_valkey() as url, Redis.from_url(url) as redis:
        intake = JobIntake(SETTINGS, JobWriter(redis, SETTINGS, ROOM), StoreCapacity(redis, SETTINGS, ROOM), CHECK)
        with pytest.raises(MalformedRequestError):
            intake.receive(upload_of(FORM), form(FILE, field(name, value)))
        assert redis.dbsize() == 0


class LosingWriter(JobWriter):
    """Its client hangs up as the first rows are stored."""

    presence: Presence
    stored: list[int]

    def append(self, job_id: str, first_row: int, packed_rows: bytes) -> None:
        self.stored.append(first_row)
        self.presence.lose()
        super().append(job_id, first_row, packed_rows)


@pytest.mark.integration
def test_an_upload_whose_client_has_left_is_given_up_and_leaves_nothing_in_the_store() -> None:
    """A body of 8 MB can be 1.6 million texts; nobody would learn the id of their job."""
    presence = Presence()
    body = Pieces(json.dumps({"texts": ["댓글"] * 100_000}).encode())
    with running_valkey() as url, Redis.from_url(url) as redis:
        writer = LosingWriter(redis, SETTINGS, ROOM)
        writer.presence, writer.stored = presence, []
        intake = JobIntake(SETTINGS, writer, StoreCapacity(redis, SETTINGS, ROOM), CHECK)

        def receive() -> None:
            note_caller({"type": "http", SCOPE_KEY: presence}, "owner")
            intake.receive(upload_of("application/json"), body)

        with pytest.raises(MalformedRequestError, match="left"):
            copy_context().run(receive)
        assert writer.stored == [0]
        assert redis.dbsize() == 0
