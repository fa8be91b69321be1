"""The keys that open the service, in the memory of one API process: a request is checked without asking the store."""

from collections.abc import Iterable

from api.access.principal import ALL_SCOPES, Principal
from shared.access.records import digest_of

_OWNER_CHARS = 32


class Keyring:
    """Finds whom a secret speaks for. Digests are looked up, not secrets, so the time it takes tells nothing."""

    def __init__(self, plain_keys: Iterable[str] = ()) -> None:
        self._plain = {digest_of(key): _plain_principal(number, key) for number, key in enumerate(plain_keys, start=1)}

    @property
    def is_open(self) -> bool:
        """Whether there are no keys, so that everybody may ask."""
        return not self._plain

    def find(self, secret: str) -> Principal | None:
        """The principal of a secret; None if no valid key has it."""
        return self._plain.get(digest_of(secret))


def _plain_principal(number: int, key: str) -> Principal:
    """A key of API_KEYS has every scope and no limits. Its owner is 128 bits of its digest, as in earlier versions."""
    return Principal(f"API_KEYS:{number}", digest_of(key)[:_OWNER_CHARS], ALL_SCOPES)
