"""Shares the few upload slots: a slow sender gives its slot up to others, and no caller gets all of them."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Protocol

from api.http.caller import current_caller
from shared.errors import KobertError, OverloadedError

# A new upload waits this long for a place before it is refused.
WAIT_S = 3.0
_LOOK_S = 0.05
# Uploads that wait at once; more are refused without a wait.
MAX_WAITING = 16
# Who has let the service wait for this long, and sent less than this a second of it or nothing at all, gives way.
PATIENCE_S = 1.0
SLOW_BYTES_PER_S = 64 * 1024
RETRY_AFTER_S = 10
# Of so many places one is left to callers who hold none.
PLACES_PER_RESERVE = 4
ALL_TAKEN = "{} uploads are coming in (MAX_UPLOADS); try again shortly"


class Sent(Protocol):
    """A body that comes in, or has come in."""

    @property
    def received_bytes(self) -> int:
        """How much has come."""

    @property
    def waited_s(self) -> float:
        """How long its client was waited for."""

    @property
    def pause_s(self) -> float:
        """How long it is now."""

    def refuse(self, make_error: Callable[[], KobertError]) -> None:
        """Make whoever reads it raise an error."""


class UploadSlots:
    """Places for `count` uploads, of which one caller gets `most_of_one`. `refusal` says how many are coming in.

    Not thread-safe: it belongs to the event loop.
    """

    def __init__(self, count: int, most_of_one: int | None = None, refusal: str = ALL_TAKEN) -> None:
        self._count = count
        self._most_of_one = count - count // PLACES_PER_RESERVE if most_of_one is None else most_of_one
        self._refusal = refusal
        # By whom each is sent.
        self._uploads: dict[Sent, str] = {}
        self._leaving: list[Sent] = []
        self._waiting = 0

    @asynccontextmanager
    async def taken_by(self, body: Sent) -> AsyncIterator[None]:
        """Hold a place while the body is read, for the current caller.

        Raises:
            OverloadedError: all that the caller may have are taken by uploads that come at a good speed.
        """
        caller = current_caller().name
        await self._wait_for_room(caller)
        self._uploads[body] = caller
        try:
            yield
        finally:
            del self._uploads[body]
            if body in self._leaving:
                self._leaving.remove(body)

    async def _wait_for_room(self, caller: str) -> None:
        deadline = time.monotonic() + (WAIT_S if self._waiting < MAX_WAITING else 0.0)
        self._waiting += 1
        try:
            while not self._has_room(caller):
                if time.monotonic() >= deadline:
                    raise OverloadedError(self._refusal.format(len(self._uploads)), retry_after_s=RETRY_AFTER_S)
                if len(self._leaving) < self._waiting:
                    self._displace_slowest(caller)
                await asyncio.sleep(_LOOK_S)
        finally:
            self._waiting -= 1

    def _has_room(self, caller: str) -> bool:
        return len(self._uploads) < self._count and self._held_by(caller) < self._most_of_one

    def _held_by(self, caller: str) -> int:
        return sum(name == caller for name in self._uploads.values())

    def _displace_slowest(self, caller: str) -> None:
        """Make the slowest give way: of all, or of the caller's own where it is their number that keeps it waiting."""
        is_own_fault = self._held_by(caller) >= self._most_of_one
        candidates = [body for body, name in self._uploads.items() if name == caller or not is_own_fault]
        slow = [body for body in candidates if body not in self._leaving and _is_slow(body)]
        if not slow:
            return
        slowest = min(slow, key=lambda body: body.received_bytes / body.waited_s)
        self._leaving.append(slowest)
        message = (
            f"this upload brought {slowest.received_bytes:,} bytes in {slowest.waited_s:.0f} s, and somebody else "
            f"needed its place; send it again, faster than {SLOW_BYTES_PER_S:,} bytes a second"
        )
        slowest.refuse(partial(OverloadedError, message, retry_after_s=RETRY_AFTER_S))


def _is_slow(body: Sent) -> bool:
    is_below = body.waited_s > PATIENCE_S and body.received_bytes < SLOW_BYTES_PER_S * body.waited_s
    return is_below or body.pause_s > PATIENCE_S
