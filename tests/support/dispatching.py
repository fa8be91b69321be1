"""A queue and a fleet of workers for a dispatcher, whose speed and faults a test decides."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from api.queue.dispatcher import Dispatcher
from shared.cost import cost_of
from shared.messages import Answer, PredictMessage
from shared.verdict import Verdict

# How long callers wait: longer than any machine stands still.
TIMEOUT_S = 20.0
# Of a text of one character.
COST = cost_of("a")


class Queue:
    """Takes messages as a publisher does; `gate` holds a publish in flight, `fault` makes it fail.

    `is_open`: a lone text need not wait for the sender's turn.
    """

    def __init__(self) -> None:
        self.messages: list[PredictMessage] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.fault: Exception | None = None
        self.is_open = False

    async def publish(self, message: PredictMessage) -> None:
        self.messages.append(message)
        await self._end()

    def publish_now(self, message: PredictMessage) -> Coroutine[Any, Any, None]:
        self.messages.append(message)
        return self._end()

    async def _end(self) -> None:
        await self.gate.wait()
        if self.fault is not None:
            raise self.fault

    def texts(self) -> list[list[str]]:
        return [[item.text for item in message.items] for message in self.messages]


class Workers:
    """The fleet as the dispatcher sees it."""

    def __init__(self) -> None:
        self.cost_per_s = 1000.0 * COST
        self.interactive_count = 1
        self.absence: Exception | None = None

    def require_live_worker(self) -> None:
        if self.absence is not None:
            raise self.absence


def answer_to(text_id: int) -> Answer:
    return Answer(id=text_id, verdict=Verdict(f"label of {text_id}", 1.0, {}, []))


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def answer_all(dispatcher: Dispatcher, queue: Queue) -> None:
    dispatcher.resolve([answer_to(item.id) for message in queue.messages for item in message.items])
