"""Keeps what is for operators from strangers: behind a key with the scope `admin`, or on a port of its own."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.types import Scope as AsgiScope

from api.access.keyring import Keyring
from api.http.auth import admit, authenticate_request
from shared.settings import AdminPart


@dataclass(frozen=True)
class AdminSide:
    """`port`: where operators ask; None: where everybody does. `closed`: what takes a key with the scope `admin`."""

    port: int | None
    closed: frozenset[AdminPart]

    def is_asked(self, scope: AsgiScope) -> bool:
        """Whether the request came to the operators' port; never true where there is none of its own."""
        return self.port is not None and (scope.get("server") or ("", None))[1] == self.port


@cache
def require_admin_side(part: AdminPart) -> Callable[[Request], Awaitable[None]]:
    """A dependency for the routes of one part.

    Its 404 is that of a path which does not exist: the part is on ADMIN_PORT. Where the part is closed, it raises as
    `authenticate`, and ForbiddenError for a key without the scope `admin`.
    """

    async def check(request: Request) -> None:
        side: AdminSide = request.app.state.admin_side
        if side.port is not None and not side.is_asked(request.scope):
            raise HTTPException(404)
        if part in side.closed:
            await admit(request, "admin")

    return check


async def may_see_everything(request: Request) -> bool:
    """Whether the request may see what `/info` keeps from strangers.

    An operator's port shows it, a service without keys, and a key with the scope `admin`. A wrong key is refused as
    everywhere, so that nobody can try keys here.
    """
    keyring: Keyring = request.app.state.keyring
    side: AdminSide = request.app.state.admin_side
    if keyring.is_open or (side.is_asked(request.scope) and "info" not in side.closed):
        return True
    if "authorization" not in request.headers:
        return False
    return "admin" in (await authenticate_request(request)).scopes
