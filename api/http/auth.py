"""Who is asking: an API key's owner, by the hash of the key, or everybody when no keys are set."""

import hashlib
from typing import Annotated

from fastapi import Depends, Request

from shared.errors import UnauthorisedError

EVERYBODY = "everybody"
_OWNER_CHARS = 32


def owner_of_key(api_key: str) -> str:
    """What is stored in place of a key: 128 bits of its sha256. Nobody can get in with it."""
    return hashlib.sha256(api_key.encode()).hexdigest()[:_OWNER_CHARS]


async def require_owner(request: Request) -> str:
    """The owner that the request speaks for.

    Raises:
        UnauthorisedError: keys are set, and the request has none of them.
    """
    owners: frozenset[str] = request.app.state.owners
    if not owners:
        return EVERYBODY
    scheme, _, api_key = request.headers.get("authorization", "").partition(" ")
    # Hashes are looked up, not keys, so the time that it takes says nothing of a key.
    owner = owner_of_key(api_key.strip())
    if scheme.lower() != "bearer" or owner not in owners:
        raise UnauthorisedError("send a key of this service: -H 'Authorization: Bearer YOUR_KEY'")
    return owner


OwnerDep = Annotated[str, Depends(require_owner)]
