"""Authenticates requests: finds the principal of an API key, and checks that it has the scope of the route."""

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.access.attempts import FailedAttempts
from api.access.keyring import Keyring
from api.access.principal import EVERYBODY, Principal
from api.access.quotas import Quotas
from api.http.caller import note_caller
from api.http.request_record import current_record
from shared.access.records import NO_LIMITS, Scope
from shared.errors import (
    ForbiddenError,
    LengthRequiredError,
    RateLimitedError,
    StoreUnavailableError,
    UnauthorisedError,
)

# Also what the button Authorize of `/docs` sends.
_BEARER = HTTPBearer(scheme_name="API key", description="a key of this service", auto_error=False)


async def authenticate(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)]
) -> Principal:
    """Whom the request speaks for; also kept in the request's record, which code below the routes reads.

    Raises:
        UnauthorisedError: there are keys, and the request has none of them.
        RateLimitedError: its address has sent too many wrong keys, or a rate of its key is used up.
        StoreUnavailableError: the keys could not be read since the start.
    """
    keyring: Keyring = request.app.state.keyring
    principal = EVERYBODY if keyring.is_open else _principal_of(request, credentials, keyring)
    current_record().principal = principal
    note_caller(request.scope, None if keyring.is_open else principal.owner)
    if principal.limits is not NO_LIMITS:
        await _charge(request, principal)
    return principal


async def _charge(request: Request, principal: Principal) -> None:
    """Count the request, and its body by the length that it says, before the body is read.

    Raises:
        RateLimitedError: a rate of the key is used up.
        LengthRequiredError: bytes are counted, and the body says no length.
    """
    declared = request.headers.get("content-length", "0")
    is_counted = principal.limits.bytes_per_day is not None
    if is_counted and ("transfer-encoding" in request.headers or not declared.isdecimal()):
        raise LengthRequiredError("the bytes of this key are counted, so its requests need a Content-Length")
    quotas: Quotas = request.app.state.quotas
    await quotas.charge(principal, {"requests_per_minute": 1, "bytes_per_day": int(declared) if is_counted else 0})


def _principal_of(request: Request, credentials: HTTPAuthorizationCredentials | None, keyring: Keyring) -> Principal:
    principal = None if credentials is None else keyring.find(credentials.credentials.strip())
    if principal is not None and not principal.is_chosen:
        return principal
    address = request.client.host if request.client else ""
    if credentials is not None:
        # Before a right answer too: otherwise guessing a key of API_KEYS would go on at full speed.
        _require_patience(request.app.state.failed_attempts, address)
    if principal is not None:
        return principal
    if not keyring.is_known:
        raise StoreUnavailableError("the keys of this service cannot be read from its store; try again shortly")
    if credentials is not None:
        request.app.state.failed_attempts.note_failure(address)
    raise UnauthorisedError("send a key of this service: -H 'Authorization: Bearer YOUR_KEY'")


def _require_patience(attempts: FailedAttempts, address: str) -> None:
    wait_s = attempts.wait_s(address)
    if wait_s:
        raise RateLimitedError(
            f"too many wrong keys came from this address (MAX_WRONG_KEYS_PER_MINUTE); try again in {wait_s} s",
            retry_after_s=wait_s,
            code="too_many_wrong_keys",
        )


@cache
def require_scope(scope: Scope) -> Callable[..., Awaitable[Principal]]:
    """A dependency for routes: the request's principal, who has `scope`.

    It raises UnauthorisedError as `authenticate`, and ForbiddenError where the key has other scopes only.
    """

    async def check(principal: Annotated[Principal, Depends(authenticate)]) -> Principal:
        if scope not in principal.scopes:
            has = ", ".join(sorted(principal.scopes)) or "none"
            raise ForbiddenError(
                f"this key lacks the scope {scope!r} (it has {has}); ask the operator for a key with it",
                code="missing_scope",
            )
        return principal

    return check


async def authenticate_request(request: Request) -> Principal:
    """What `authenticate` does, for code that is no dependency."""
    return await authenticate(request, await _BEARER(request))


async def admit(request: Request, scope: Scope) -> Principal:
    """What `require_scope` does, for a route that FastAPI only documents."""
    return await require_scope(scope)(await authenticate_request(request))


# The principal of a request about jobs; needs the scope `jobs`.
CallerDep = Annotated[Principal, Depends(require_scope("jobs"))]


async def _owner_of_jobs(principal: CallerDep) -> str:
    return principal.owner


# The owner of the jobs that the request may see; needs the scope `jobs`.
OwnerDep = Annotated[str, Depends(_owner_of_jobs)]
