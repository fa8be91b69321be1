"""Commands in one write to a real store, which refuses, goes away and comes back."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError as StoreLostError
from redis.exceptions import ResponseError

from tests.support.stack import Stack, wait_until
from worker.command_writer import CommandWriter

pytestmark = pytest.mark.integration


@pytest.fixture
def stack(echo_bundle: Path) -> Iterator[Stack]:
    with tempfile.TemporaryDirectory(prefix="kt-") as folder:
        stack = Stack(Path(folder), echo_bundle)
        stack.start_store()
        yield stack
        stack.stop()


def test_a_refused_command_is_named_the_others_are_done_and_the_next_write_gets_its_own_answers(stack: Stack) -> None:
    with stack.redis() as redis:
        writer = CommandWriter(redis)
        writer.send([("SET", "text", "가"), ("RPUSH", "list", b"\x00", 1)])

        with pytest.raises(ResponseError, match="WRONGTYPE"):
            writer.send([("RPUSH", "text", "x"), ("RPUSH", "list", 2), ("INCR", "list")])
        writer.send([("RPUSH", "list", 3)])

        assert redis.lrange("list", 0, -1) == [b"\x00", b"1", b"2", b"3"]


def test_the_first_write_after_a_restart_of_redis_succeeds_and_one_while_it_is_away_fails(stack: Stack) -> None:
    with stack.redis() as redis:
        writer = CommandWriter(redis)
        writer.send([("RPUSH", "list", 1)])
        stack.store.stop()
        stack.start_store()

        writer.send([("RPUSH", "list", 2)])
        assert redis.lrange("list", 0, -1) == [b"1", b"2"]

        stack.store.stop()
        with pytest.raises(StoreLostError):
            writer.send([("RPUSH", "list", 3)])
        stack.start_store()
        wait_until(lambda: _writes(writer), "a write")
        assert redis.lrange("list", 0, -1) == [b"1", b"2", b"4"]


def _writes(writer: CommandWriter) -> bool:
    try:
        writer.send([("RPUSH", "list", 4)])
    except StoreLostError:
        return False
    return True
