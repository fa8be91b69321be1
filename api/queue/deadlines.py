"""Ends the requests that nobody has answered in time."""

import asyncio
from contextvars import Context

from api.queue.pending import PendingRequest
from shared.errors import KobertError


class Deadlines:
    """One timer for all requests, as nearly every one is answered long before its end. Each may take `timeout_s`."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        # In the order of their ends.
        self._requests: dict[PendingRequest, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, request: PendingRequest) -> None:
        """End `request` when its time is over."""
        loop = asyncio.get_running_loop()
        request.ends_at = loop.time() + self._timeout_s
        self._requests[request] = None
        if self._timer is None:
            # In an empty context: the current variables belong to one request, and the timer to all.
            self._timer = loop.call_at(request.ends_at, self._end_overdue, context=Context())

    def remove(self, request: PendingRequest) -> None:
        """Nobody waits for `request` any more."""
        self._requests.pop(request, None)

    def fail_all(self, error: KobertError) -> None:
        """End every request with `error`, and wait for none."""
        if self._timer is not None:
            self._timer.cancel()
        for request in list(self._requests):
            request.fail(error)

    def _end_overdue(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        while self._requests:
            oldest = next(iter(self._requests))
            if oldest.ends_at > loop.time():
                self._timer = loop.call_at(oldest.ends_at, self._end_overdue)
                return
            del self._requests[oldest]
            oldest.end()
