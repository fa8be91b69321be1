"""What is said when a real server refuses, by the kind of the refusal."""

from collections.abc import Iterator

import pytest
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import RedisError, ResponseError

from shared.store_errors import is_passing, is_refusal, name_store_error
from tests.support.valkey import running_valkey

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    with running_valkey() as url, Redis.from_url(url) as client:
        yield client


def refusal(redis: Redis, *command: str | int) -> RedisError:
    with pytest.raises(RedisError) as caught:
        redis.execute_command(*command)
    return caught.value


def test_a_full_memory_is_named(redis: Redis) -> None:
    redis.config_set("maxmemory", "1")
    try:
        error = refusal(redis, "SET", "key", "value")
        pipeline = redis.pipeline()
        pipeline.set("key", "value")
        with pytest.raises(RedisError) as caught:
            pipeline.execute()
    finally:
        redis.config_set("maxmemory", "0")
    for raised in (error, caught.value):
        assert (name_store_error(raised).code, is_passing(raised), is_refusal(raised)) == ("store_full", True, True)


def test_a_read_only_replica_is_named(redis: Redis) -> None:
    redis.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        error = refusal(redis, "SET", "key", "value")
    finally:
        redis.execute_command("REPLICAOF", "NO", "ONE")
    assert "name its primary" in name_store_error(error).message


def test_too_few_replicas_are_named_and_waited_for(redis: Redis) -> None:
    redis.config_set("min-replicas-to-write", "1")
    try:
        error = refusal(redis, "SET", "key", "value")
    finally:
        redis.config_set("min-replicas-to-write", "0")
    assert "too few replicas" in name_store_error(error).message
    assert is_passing(error)


def test_a_wrong_password_is_named(redis: Redis) -> None:
    error = refusal(redis, "AUTH", "nobody", "secret")
    assert "user or password" in name_store_error(error).message
    assert "secret" not in name_store_error(error).message


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("MISCONF Errors writing to the AOF file: No space left on device", "disk_full"),
        ("MISCONF Errors writing to the AOF file: Disk quota exceeded", "disk_full"),
        ("MISCONF Errors writing to the AOF file: Input/output error", "store_unavailable"),
        (
            "MISCONF Valkey is configured to save RDB snapshots, but it's currently unable to persist to disk.",
            "disk_full",
        ),
    ],
)
def test_a_disk_that_cannot_be_written_is_named_by_its_reason(words: str, code: str) -> None:
    error = ResponseError(words)
    assert name_store_error(error).code == code
    assert is_refusal(error)


def test_what_kombu_wraps_is_named_by_its_cause() -> None:
    wrapped = OperationalError("…")
    wrapped.__cause__ = ResponseError("MISCONF Errors writing to the AOF file: No space left on device")
    assert name_store_error(wrapped).code == "disk_full"
    assert is_refusal(wrapped)


def test_a_fault_of_one_command_is_not_waited_for(redis: Redis) -> None:
    error = refusal(redis, "NO-SUCH-COMMAND")
    assert not is_passing(error)
    assert name_store_error(error).code == "store_unavailable"


def test_a_server_that_is_away_does_not_answer() -> None:
    with Redis(port=1) as nowhere:
        error = refusal(nowhere, "PING")
    assert "does not answer" in name_store_error(error).message
    assert is_passing(error)
    assert not is_refusal(error)
