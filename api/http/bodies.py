"""Bounds what bodies may cost together: bytes of memory, and time in which the service waits for a client.

One connection alone is harmless, so the limits hold over all of them. Where room is short, the body gives way that has
held the most bytes for the longest time: a small request is never the one, nor a large one that comes at full speed.
"""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.request_record import current_record
from shared.errors import KobertError, OverloadedError, TooSlowError

# Time that every body gets before its speed counts.
GRACE_S = 10.0
# When the budget is exceeded, this much of it is made free: else every further piece would search again.
REFILL_SHARE = 0.75
_STATE_KEY = "body_account"


class BodyLimits(msgspec.Struct, frozen=True):
    """Of one process: bytes over all connections, and how fast a body must come."""

    max_inflight_bytes: int
    min_bytes_per_s: int
    timeout_s: float


class BodyAccount:
    """What the body of one request has brought, what of it is in memory, and how long the service has waited for it."""

    __slots__ = (
        "_budget",
        "_wake",
        "began_at",
        "fault",
        "held_bytes",
        "is_complete",
        "is_stream",
        "received_bytes",
        "waited_s",
    )

    def __init__(self, budget: "BodyBudget", wake: Callable[[], None]) -> None:
        self.received_bytes = 0
        self.held_bytes = 0
        self.waited_s = 0.0
        self.began_at = 0.0
        self.is_complete = False
        self.is_stream = False
        # Makes the error to raise: one that was kept would keep the frames that it went through, and their buffers.
        self.fault: Callable[[], KobertError] | None = None
        self._budget = budget
        self._wake = wake

    def take(self, byte_count: int) -> None:
        """Count bytes that came, or that a packed body unpacked to."""
        self.received_bytes += byte_count
        self._budget.charge(self, byte_count)

    def stream(self) -> None:
        """Say that the body is read piece by piece: none of it is kept, and it may last as long as it keeps coming."""
        self.is_stream = True
        self.release()

    def release(self) -> None:
        """Say that what came so far is no longer in memory."""
        self._budget.free(self)

    def detach(self) -> None:
        """Stop waking readers: the client is gone, which ends every wait for the body."""
        self._wake = _wake_nobody

    def fail(self, make_error: Callable[[], KobertError]) -> None:
        """Make whoever reads the body raise an error."""
        if self.fault is None:
            self.fault = make_error
            self.release()
            if not self.is_complete:
                # Nobody waits for more of a complete one; the connection's next body may be there already.
                self._wake()

    def check_pace(self, limits: BodyLimits) -> None:
        """Fail a body that comes too slowly, or that takes too long as a whole."""
        if self.waited_s > GRACE_S + self.received_bytes / limits.min_bytes_per_s:
            message = (
                f"{self.received_bytes:,} bytes of the body came in {self.waited_s:.0f} s; at least "
                f"{limits.min_bytes_per_s:,} a second must come (MIN_BODY_BYTES_PER_S)"
            )
            self.fail(partial(TooSlowError, message))
        elif self.waited_s > limits.timeout_s and not self.is_stream:
            message = f"the body was not complete after {limits.timeout_s:g} s (BODY_TIMEOUT_S)"
            self.fail(partial(TooSlowError, message))


def _wake_nobody() -> None:
    pass


class BodyBudget:
    """The bytes of all bodies in memory."""

    def __init__(self, max_bytes: int) -> None:
        self.held_bytes = 0
        self._max_bytes = max_bytes
        self._holders: dict[BodyAccount, None] = {}

    def charge(self, account: BodyAccount, byte_count: int) -> None:
        """Count bytes of one body, and refuse bodies when there are too many."""
        if account.fault is not None:
            return
        if account not in self._holders:
            account.began_at = time.monotonic()
            self._holders[account] = None
        account.held_bytes += byte_count
        self.held_bytes += byte_count
        if self.held_bytes > self._max_bytes:
            self._make_room(account)

    def free(self, account: BodyAccount) -> None:
        """Forget the bytes of one body."""
        self.held_bytes -= account.held_bytes
        account.held_bytes = 0
        self._holders.pop(account, None)

    def _make_room(self, newest: BodyAccount) -> None:
        """Refuse unfinished bodies, first that with the most bytes for the longest time; else `newest`."""
        now = time.monotonic()
        unfinished = [account for account in self._holders if not account.is_complete]
        unfinished.sort(key=lambda account: account.held_bytes * (now - account.began_at), reverse=True)
        message = (
            f"the bodies that are coming in have more than {self._max_bytes:,} bytes together "
            "(MAX_INFLIGHT_BODY_BYTES), and this one took the most room; send it again, or in smaller parts"
        )
        for account in unfinished or [newest]:
            if self.held_bytes <= self._max_bytes * REFILL_SHARE:
                return
            account.fail(partial(OverloadedError, message))


class BodyFaultsMiddleware:
    """Raises the fault of a body where it is read, so that its route answers, logs and counts it as any other error.

    A body may take a minute, and an upload hours: `require_valid` says for each piece whether its key still is.
    """

    def __init__(self, app: ASGIApp, require_valid: Callable[[str], None]) -> None:
        self._app = app
        self._require_valid = require_valid

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        account = account_of(scope)
        if account is None:
            await self._app(scope, receive, send)
            return

        record = current_record()

        async def receive_or_raise() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                if record.principal is not None:
                    self._require_valid(record.principal.owner)
                if account.fault is not None:
                    raise account.fault()
                if account.is_stream:
                    account.release()
            return message

        try:
            await self._app(scope, receive_or_raise, send)
        finally:
            account.release()


def attach(state: dict[str, Any], account: BodyAccount) -> None:
    """Put an account where `account_of` finds it; `state` is that of the request's scope."""
    state[_STATE_KEY] = account


def account_of(scope: Mapping[str, Any]) -> BodyAccount | None:
    """The account of a request's body; None under a server other than ours."""
    account = scope.get("state", {}).get(_STATE_KEY)
    return account if isinstance(account, BodyAccount) else None


def take(scope: Mapping[str, Any], byte_count: int) -> None:
    """Count bytes that the body of a request unpacked to.

    Raises:
        OverloadedError: there is no room for them.
    """
    account = account_of(scope)
    if account is not None:
        account.take(byte_count)
        if account.fault is not None:
            raise account.fault()


def stream(scope: Mapping[str, Any]) -> None:
    """Say that the body of a request is read piece by piece, by `BodyAccount.stream`."""
    account = account_of(scope)
    if account is not None:
        account.stream()


def release(scope: Mapping[str, Any]) -> None:
    """Free what the body of a request holds."""
    account = account_of(scope)
    if account is not None:
        account.release()
