"""Reads what refused clients go on sending, a little at a time, and drops it.

Closed at once, a client that is still sending would not see its answer. Read as fast as it comes, the megabytes of
sixty refused bodies would be a tenth of a second of every round of the event loop.
"""

import asyncio
from collections import deque
from collections.abc import Callable

# Between two reads of one address, each of which takes up to a quarter of a megabyte: so much as 100 MB a second.
PAUSE_S = 0.0025


class Draining:
    """Lets one connection of each address read at a time. Not thread-safe: it belongs to the event loop."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[Callable[[], None]]] = {}

    def wait(self, address: str, go_on: Callable[[], None]) -> None:
        """Call `go_on` when it is this address's turn, and this connection's among its own."""
        if not self._waiting:
            asyncio.get_running_loop().call_later(PAUSE_S, self._next_round)
        self._waiting.setdefault(address, deque()).append(go_on)

    def _next_round(self) -> None:
        turns, self._waiting = self._waiting, {}
        due = [queue.popleft() for queue in turns.values()]
        left = {address: queue for address, queue in turns.items() if queue}
        if left:
            self._waiting = left
            asyncio.get_running_loop().call_later(PAUSE_S, self._next_round)
        for go_on in due:
            go_on()
