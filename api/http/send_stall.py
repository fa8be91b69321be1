"""Notices a client that does not read what it is sent, or does not let its connection close."""

import asyncio

# How long a connection that is being closed may take to send its last answer.
CLOSING_S = 10.0


class SendStall:
    """Of one connection; times are those of the event loop's clock."""

    __slots__ = ("_closing_since", "_stopped_at")

    def __init__(self) -> None:
        # None: it is not so.
        self._stopped_at: float | None = None
        self._closing_since: float | None = None

    def begin(self, now: float) -> None:
        """The client does not read what it is sent."""
        self._stopped_at = now

    def end(self) -> None:
        """It does."""
        self._stopped_at = None

    def is_overdue(self, transport: asyncio.Transport, now: float, limit_s: float) -> bool:
        """Whether the client has not read for `limit_s`, or its connection does not close in time."""
        if transport.is_closing() and self._closing_since is None:
            self._closing_since = now
        if self._closing_since is not None and now - self._closing_since > CLOSING_S:
            return True
        return self._stopped_at is not None and now - self._stopped_at > limit_s
