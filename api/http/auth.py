"""Authenticates requests: an owner is the hash of an API key, or "everybody" if no keys are set."""

import hashlib
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from shared.errors import UnauthorisedError

EVERYBODY = "everybody"
_OWNER_CHARS = 32
# Also what the button Authorize of `/docs` sends.
_BEARER = HTTPBearer(scheme_name="API key", description="one of API_KEYS", auto_error=False)


def owner_of_key(api_key: str) -> str:
    """The stored form of a key: 128 bits of its SHA-256, which does not give access."""
    return hashlib.sha256(api_key.encode()).hexdigest()[:_OWNER_CHARS]


async def require_owner(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)]
) -> str:
    """The owner that the request speaks for.

    Raises:
        UnauthorisedError: keys are set, and the request has none of them.
    """
    owners: frozenset[str] = request.app.state.owners
    if not owners:
        return EVERYBODY
    # Hashes are looked up, not keys, so the time that it takes says nothing of a key.
    owner = "" if credentials is None else owner_of_key(credentials.credentials.strip())
    if owner not in owners:
        raise UnauthorisedError("send a key of this service: -H 'Authorization: Bearer YOUR_KEY'")
    return owner


OwnerDep = Annotated[str, Depends(require_owner)]
