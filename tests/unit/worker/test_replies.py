import threading
import time
from collections.abc import Sequence
from typing import Any

from fakeredis import FakeRedis
from redis.exceptions import ConnectionError as StoreLostError

from shared import keys
from shared.messages import Answer, Reply, decode
from worker.command_writer import Command, CommandWriter
from worker.replies import ReplyWriter


class Gate(CommandWriter):
    """Each write waits for the gate; the first `failures` of them fail."""

    def __init__(self, failures: int = 0) -> None:
        self.store = FakeRedis()
        super().__init__(self.store)
        self.gate = threading.Event()
        self.begun = threading.Event()
        self.failures = failures

    def send(self, commands: Sequence[Command]) -> None:
        self.begun.set()
        assert self.gate.wait(10)
        if self.failures:
            self.failures -= 1
            raise StoreLostError
        super().send(commands)

    def replies_to(self, process: str) -> list[list[int]]:
        """The ids of the answers in each entry of its stream."""
        entries: Any = self.store.xrange(keys.replies(process))
        return [[answer.id for answer in decode(fields[b"reply"], Reply).answers] for _, fields in entries]


def test_what_comes_while_a_reply_is_written_is_written_together_and_keeps_nobody() -> None:
    store = Gate()
    writer = ReplyWriter(store, "worker")
    first = threading.Thread(target=writer.send, args=("api-1", [Answer(id=1)], time.monotonic() + 60))
    first.start()
    assert store.begun.wait(10)

    writer.send("api-1", [Answer(id=2)], time.monotonic() + 60)
    writer.send("api-2", [Answer(id=3)], time.monotonic() + 60)
    writer.send("api-1", [Answer(id=4)], time.monotonic() + 60)
    store.gate.set()
    first.join(10)

    assert store.replies_to("api-1") == [[1], [2, 4]]
    assert store.replies_to("api-2") == [[3]]


def test_a_reply_that_cannot_be_written_at_all_does_not_stop_the_next_ones() -> None:
    store = Gate()
    store.gate.set()
    writer = ReplyWriter(store, "worker")
    writer.send("api", [Answer(id=1, tokenization_s=object())], time.monotonic() + 60)  # type: ignore[arg-type]

    writer.send("api", [Answer(id=2)], time.monotonic() + 60)

    assert store.replies_to("api") == [[2]]


def test_a_reply_that_was_not_written_is_written_again_unless_nobody_waits_for_it_any_more() -> None:
    store = Gate(failures=1)
    writer = ReplyWriter(store, "worker")
    first = threading.Thread(target=writer.send, args=("api", [Answer(id=1)], time.monotonic() + 60))
    late = threading.Thread(target=writer.send, args=("api", [Answer(id=2)], time.monotonic()))
    store.gate.set()
    for thread in (first, late):
        thread.start()
        thread.join(10)
    assert store.replies_to("api") == [[1], [2]]

    store.failures = 1
    writer.send("api", [Answer(id=3)], time.monotonic())
    assert store.replies_to("api") == [[1], [2]]

    writer.send("api", [Answer(id=4)], time.monotonic() + 60)
    assert store.replies_to("api") == [[1], [2], [4]]
