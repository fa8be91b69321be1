"""What Celery's consumer hands to a task thread, and where the thread's answers go, without either."""

import json
from collections.abc import Sequence
from types import SimpleNamespace

from fakeredis import FakeRedis

from shared import keys
from shared.messages import Answer
from worker.command_writer import CommandWriter
from worker.delivery import Delivery
from worker.replies import Outgoing


class Outbox:
    """Takes what a task sends, as `ReplyWriter` does."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []

    def send(self, reply_to: str, answers: list[Answer], deadline: float, ended: Delivery | None = None) -> None:
        self.answers += answers

    def send_together(self, groups: Sequence[Outgoing]) -> None:
        for group in groups:
            self.answers += group.answers


def delivery_of(payload: str, *, is_again: bool = False) -> Delivery:
    """A message with this payload; `is_again`: an earlier worker did not finish it."""
    message = SimpleNamespace(
        body=json.dumps([[payload], {}, {}]),
        headers={},
        delivery_tag="tag",
        delivery_info={"exchange": "", "routing_key": keys.INTERACTIVE_QUEUE, "redelivered": is_again},
        _raw={},
    )
    return Delivery(message, CommandWriter(FakeRedis()), wake=lambda: None)
