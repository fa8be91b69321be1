"""Gives every request an id, the client's `X-Request-ID` if it is valid or a new one, and returns it."""

import os
import re
from contextvars import ContextVar

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Request-ID"
# As many as a UUID has.
ID_BYTES = 16
_PLAIN = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
_current: ContextVar[str | None] = ContextVar("request_id", default=None)


def current_request_id() -> str | None:
    """The id of the request being served, or None outside one."""
    return _current.get()


def choose_request_id(offered: str) -> str:
    """The id that a client offers if it is valid, else a new one."""
    return offered if offered and _PLAIN.fullmatch(offered) else os.urandom(ID_BYTES).hex()


class RequestIdMiddleware:
    """Plain ASGI middleware: cheap, and it does not break streaming."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request with its id."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = choose_request_id(Headers(scope=scope).get(HEADER, ""))
        _current.set(request_id)
        structlog.contextvars.bind_contextvars(request_id=request_id)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        await self._app(scope, receive, send_with_id)
