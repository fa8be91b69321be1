"""Lets addresses take turns: a thousand requests of one never stand before a single one of another.

A request costs the event loop up to some milliseconds, and a little even where it is refused. In the order in which
they come, those of a flood would all be served before the next of anybody else. A round costs next to nothing, so that
few requests a round are no slower than many.
"""

import asyncio
from collections import deque
from typing import Protocol

# What one address may begin in one round of the event loop: so many cheap requests, answered or refused on the spot.
# One that the framework answers counts as several, and where rounds have become long as all of them.
PER_ROUND = 8
COSTLY, COSTLY_IN_LONG_ROUND = 2, PER_ROUND
LONG_ROUND_S = 0.001
# Bytes that wait for their turn, over all connections; what is above is served at once.
MAX_WAITING_BYTES = 8 << 20


class Waiting(Protocol):
    """A connection whose bytes wait for their turn."""

    def serve(self) -> bool:
        """Go on with them; returns whether that began something costly."""


class Turns:
    """Not thread-safe: it belongs to the event loop."""

    def __init__(self) -> None:
        self._begun: dict[str, int] = {}
        self._waiting: dict[str, deque[tuple[Waiting, int]]] = {}
        self._waiting_bytes = 0
        self._has_round = False
        self._costly = COSTLY
        self._round_began_at = 0.0

    def must_wait(self, address: str, connection: Waiting, byte_count: int) -> bool:
        """Whether a request has to wait; then `connection.serve` is called when it is its turn."""
        if not self._has_round:
            self._begin_round()
        begun = self._begun.get(address, 0)
        if address not in self._waiting and begun < PER_ROUND:
            self._begun[address] = begun + 1
            return False
        if self._waiting_bytes + byte_count > MAX_WAITING_BYTES:
            return False
        self._waiting.setdefault(address, deque()).append((connection, byte_count))
        self._waiting_bytes += byte_count
        return True

    def note_costly(self, address: str) -> None:
        """What was just begun without a wait is costly."""
        self._begun[address] = self._begun.get(address, 0) + self._costly - 1

    def _next_round(self) -> None:
        self._begun.clear()
        is_long = asyncio.get_running_loop().time() - self._round_began_at > LONG_ROUND_S
        self._costly = COSTLY_IN_LONG_ROUND if is_long else COSTLY
        for address, queue in list(self._waiting.items()):
            begun = 0
            while queue and begun < PER_ROUND:
                connection, byte_count = queue.popleft()
                self._waiting_bytes -= byte_count
                begun += self._costly if connection.serve() else 1
            if not queue:
                del self._waiting[address]
        self._has_round = False
        if self._waiting:
            self._begin_round()

    def _begin_round(self) -> None:
        loop = asyncio.get_running_loop()
        self._has_round = True
        self._round_began_at = loop.time()
        loop.call_soon(self._next_round)
