"""Bounds the parameters of an address: 32 kB of them are thousands, which cost as much as requests."""

from starlette.types import ASGIApp, Receive, Scope, Send

from api.http import errors
from shared.errors import MalformedRequestError

# Many more than any route has.
MAX_PARAMETERS = 100


class QueryMiddleware:
    """Pure ASGI, inside the middleware that logs a request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] == "http" and scope["query_string"].count(b"&") >= MAX_PARAMETERS:
            refusal = MalformedRequestError(f"the address has more than {MAX_PARAMETERS} parameters")
            await errors.respond_to(refusal)(scope, receive, send)
            return
        await self._app(scope, receive, send)
