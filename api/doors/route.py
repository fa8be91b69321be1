"""What every door does besides translating: names itself to the metrics, finds the key, shows errors its own way."""

from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

import msgspec
from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.datastructures import Headers

from api.http.errors import headers_of
from api.http.request_record import current_record
from shared.errors import KobertError


class DoorRoute(APIRoute):
    """A route of a door. Each door has a subclass, and gives it to its router as `route_class`."""

    door: ClassVar[str]
    key_parameter: ClassVar[str | None] = None
    key_header: ClassVar[str | None] = None

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler of the request, in the door's own manners."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            current_record().door = self.door
            self._hand_on_key(request)
            try:
                return await handle(request)
            except KobertError as error:
                return refuse(*self.show_error(error), error)

        return answer

    def show_error(self, error: KobertError) -> tuple[int, dict[str, object]]:
        """The status and the body with which the door's clients expect `error`."""
        raise NotImplementedError  # each door answers in its own form; a router is never given this class itself

    def _hand_on_key(self, request: Request) -> None:
        """Make a key that the door's clients send in their own way a bearer token, which is what is checked."""
        # A request keeps the headers that it was once asked for, so this one is not asked.
        headers = Headers(scope=request.scope)
        key = request.query_params.get(self.key_parameter) if self.key_parameter else None
        if key is None and self.key_header is not None:
            key = headers.get(self.key_header)
        if key is not None and "authorization" not in headers:
            token = f"Bearer {key}".encode("latin-1", "replace")
            request.scope["headers"] = [*request.scope["headers"], (b"authorization", token)]


def refuse(status: int, body: dict[str, object], error: KobertError) -> Response:
    """The reply to a request that ended in `error`, which the door shows as `status` and `body`."""
    current_record().error_code = error.code
    return Response(msgspec.json.encode(body), status, headers_of(error), "application/json")
