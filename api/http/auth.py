"""Authenticates requests: an owner is the hash of an API key, or "everybody" if no keys are set."""

import hashlib
from typing import Annotated

from fastapi import Depends, Request

from shared.errors import UnauthorisedError

EVERYBODY = "everybody"
_OWNER_CHARS = 32


def owner_of_key(api_key: str) -> str:
    """The stored form of a key: 128 bits of its SHA-256, which does not give access."""
    return hashlib.sha256(api_key.encode()).hexdigest()[:_OWNER_CHARS]


async def require_owner(request: Request) -> str:
    """The owner of the request.

    Raises:
        UnauthorisedError: keys are set, and the request has none of them.
    """
    owners: frozenset[str] = request.app.state.owners
    if not owners:
        return EVERYBODY
    scheme, _, api_key = request.headers.get("authorization", "").partition(" ")
    # Hashes are compared, not keys, so the time taken reveals nothing about a key.
    owner = owner_of_key(api_key.strip())
    if scheme.lower() != "bearer" or owner not in owners:
        raise UnauthorisedError("send a key of this service: -H 'Authorization: Bearer YOUR_KEY'")
    return owner


OwnerDep = Annotated[str, Depends(require_owner)]
