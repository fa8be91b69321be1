"""Knows every connection of the process: bounds their number, and ends those whose clients take too long.

Idle connections cost nobody but us, so the one that has done least makes room for a new one: first those that never
sent a request, then those that wait for their next one, then those whose body has been coming for long.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Protocol

import msgspec

from api.http.bodies import BodyBudget, BodyLimits
from api.http.descriptors import allow_connections
from api.http.draining import Draining
from api.http.turns import Turns
from api.memory import CROWD as CROWD_OF_ALL
from api.memory import put_off_full_collections
from shared.settings import Settings

# How often connections are looked at; every time-out is late by as much.
TICK_S = 1.0
# A stopped process, or a busy loop, is not the fault of clients.
MAX_TICK_S = 2.0
# An unfinished body as young as this is not ended to make room for a new connection.
YOUNG_BODY_S = 3.0
# So many unfinished bodies are many: further requests begin with more of theirs, and of those that come too slowly no
# more than this are ended at a time. A thousand requests that begin at once, if only to be refused, cost 25 MB, of
# which Python gives back little.
MANY_BODIES = 64
# Connections above the limit that are told so; more are just closed.
REFUSALS_AT_ONCE = 64
# So many new connections in one round of the event loop are a crowd: more are waiting.
CROWD = 16
# How long a server that ends waits for the next request of a connection after the last answer on it, or for its first
# one: it may be on its way. The answer then says that the connection ends, which a client of HTTP/1.1 cannot be told
# otherwise: one that sends as the server closes gets nothing.
LAST_REQUEST_S = 1.0
# What the system may keep for one connection in each direction; by itself it grows to megabytes for a client that does
# not read. At 100 ms to a client it still carries 2.5 MB/s.
SOCKET_BYTES = 256 * 1024


class TrafficLimits(msgspec.Struct, frozen=True):
    """Of one process: how long a head may take, a connection may be idle, and a client may not read its answer."""

    max_connections: int
    header_timeout_s: float
    keep_alive_s: float
    send_stall_s: float
    bodies: BodyLimits


class Connection(Protocol):
    """What the traffic needs of a connection."""

    def check(self, now: float, elapsed_s: float) -> None:
        """End it when its client takes too long; `elapsed_s` is the time since the last look."""

    def abort(self) -> None:
        """Close it at once."""


class Traffic:
    """All connections of one process. Not thread-safe: it belongs to the event loop."""

    def __init__(self, limits: TrafficLimits) -> None:
        self.limits = limits
        self.budget = BodyBudget(limits.bodies.max_inflight_bytes)
        self.turns = Turns()
        self.draining = Draining()
        # The server ends: each request is the last one of its connection.
        self.is_ending = False
        # Requests that wait for the answer to the one before them on their connection.
        self.pipelined_count = 0
        # Slow bodies that may still be ended in this look.
        self._endings_left = MANY_BODIES
        # Takes the connections that wait to be taken.
        self.on_crowd: Callable[[], object] | None = None
        self._new_count = 0
        self._all: dict[Connection, None] = {}
        # Ordered by when they came into this state.
        self._fresh: dict[Connection, None] = {}
        self._idle: dict[Connection, None] = {}
        self._receiving: dict[Connection, float] = {}
        self._looked_at = 0.0
        self._is_looking = False

    def __len__(self) -> int:
        return len(self._all)

    def opened(self, connection: Connection) -> bool:
        """Take a new connection in; False if there is no room and none can be made."""
        has_room = len(self._all) < self.limits.max_connections or self._make_room()
        self._all[connection] = None
        self._count_new()
        if len(self._all) == CROWD_OF_ALL:
            put_off_full_collections(is_crowd=True)
        if has_room:
            self._fresh[connection] = None
        if not self._is_looking:
            self._is_looking = True
            loop = asyncio.get_running_loop()
            self._looked_at = loop.time()
            loop.call_later(TICK_S, self._look)
        return has_room

    def replace(self, old: Connection, new: Connection) -> None:
        """Know a connection by another object from now on."""
        for group in (self._all, self._fresh):
            if old in group:
                del group[old]
                group[new] = None

    def is_flooded(self) -> bool:
        """Whether there are so many connections that not even a refusal can be sent."""
        return len(self._all) > self.limits.max_connections + REFUSALS_AT_ONCE

    def receives(self, connection: Connection) -> None:
        """Note that a head is complete, and that its body may follow."""
        self._fresh.pop(connection, None)
        self._idle.pop(connection, None)
        self._receiving[connection] = asyncio.get_running_loop().time()

    def takes(self, connection: Connection) -> None:
        """Note that a request came as a whole."""
        self._fresh.pop(connection, None)
        self._idle.pop(connection, None)

    def has_many_bodies(self) -> bool:
        """Whether so many requests are incomplete that a further one should not begin yet."""
        return len(self._receiving) >= MANY_BODIES

    def may_end_body(self) -> bool:
        """Whether one more body that comes too slowly may be ended in this look."""
        return self._endings_left > 0

    def note_ended_body(self) -> None:
        """Note that one was."""
        self._endings_left -= 1

    def works(self, connection: Connection) -> None:
        """Note that a request is complete."""
        self._receiving.pop(connection, None)

    def rests(self, connection: Connection) -> None:
        """Note that every request has been answered."""
        self._idle[connection] = None

    def closed(self, connection: Connection) -> None:
        """Forget a connection."""
        for group in (self._all, self._fresh, self._idle, self._receiving):
            group.pop(connection, None)
        if len(self._all) == CROWD_OF_ALL - 1:
            put_off_full_collections(is_crowd=False)

    def _count_new(self) -> None:
        self._new_count += 1
        if self._new_count == 1:
            asyncio.get_running_loop().call_soon(self._end_round)

    def _end_round(self) -> None:
        is_crowd, self._new_count = self._new_count >= CROWD, 0
        if is_crowd and self.on_crowd is not None:
            self.on_crowd()

    def _make_room(self) -> bool:
        victim = next(iter(self._fresh), None) or next(iter(self._idle), None)
        if victim is None:
            victim, since = next(iter(self._receiving.items()), (None, 0.0))
            if victim is None or asyncio.get_running_loop().time() - since < YOUNG_BODY_S:
                return False
        self.closed(victim)
        victim.abort()
        return True

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        elapsed_s = min(now - self._looked_at, MAX_TICK_S)
        self._looked_at = now
        self._endings_left = MANY_BODIES
        for connection in list(self._all):
            connection.check(now, elapsed_s)
        self._is_looking = bool(self._all)
        if self._is_looking:
            loop.call_later(TICK_S, self._look)


def bound_socket_memory(listener: socket.socket) -> None:
    """Bound what the system keeps for connections that a listener takes; they inherit it."""
    for kind in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        listener.setsockopt(socket.SOL_SOCKET, kind, SOCKET_BYTES)


def traffic_limits(settings: Settings) -> TrafficLimits:
    """What the settings allow, and the system."""
    bodies = BodyLimits(
        # A single body of the allowed size always finds room.
        max_inflight_bytes=max(settings.max_inflight_body_bytes, settings.max_body_bytes),
        min_bytes_per_s=settings.min_body_bytes_per_s,
        timeout_s=settings.body_timeout_s,
    )
    return TrafficLimits(
        max_connections=allow_connections(settings.max_connections),
        header_timeout_s=settings.header_timeout_s,
        keep_alive_s=settings.keep_alive_s,
        send_stall_s=settings.send_stall_s,
        bodies=bodies,
    )
