"""The keys that open the service, in the memory of one API process: a request is checked without asking the store."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from api.access.principal import ALL_SCOPES, Principal
from shared.access.records import NO_LIMITS, KeyRecord, digest_of, has_passed
from shared.errors import UnauthorisedError

_OWNER_CHARS = 32


@dataclass(frozen=True, slots=True)
class _Entry:
    principal: Principal
    record: KeyRecord
    secret_expires_at: int | None


class Keyring:
    """Finds whom a secret speaks for. Digests are looked up, not secrets, so the time it takes tells nothing.

    The service is open, to everybody, only while it is certain that there are no keys: once this process has seen
    one, it never opens again, even if the store loses its data.
    """

    def __init__(
        self, plain_keys: Iterable[str] = (), *, is_required: bool = False, now: Callable[[], float] = time.time
    ) -> None:
        self._plain = {digest_of(key): _plain_principal(number, key) for number, key in enumerate(plain_keys, start=1)}
        self._stored: dict[str, _Entry] = {}
        self._records: dict[str, KeyRecord] = {}
        self._is_closed = bool(self._plain) or is_required
        self._now = now
        self.is_known = False

    @property
    def is_open(self) -> bool:
        """Whether there are certainly no keys, so that everybody may ask."""
        return self.is_known and not self._is_closed

    def may_be_open(self) -> bool:
        """Whether no key has been seen yet."""
        return not self._is_closed

    @property
    def has_several_owners(self) -> bool:
        """Whether more than one key may share the service."""
        now = self._now()
        return len(self._plain) + sum(record.is_valid(now) for record in self._records.values()) > 1

    def load(self, records: Iterable[KeyRecord]) -> None:
        """Replace the stored keys by those that the store has now."""
        self._records = {record.id: record for record in records}
        self._stored = {
            secret.digest: _Entry(_stored_principal(record), record, secret.expires_at)
            for record in self._records.values()
            for secret in record.secrets
        }
        self._is_closed = self._is_closed or bool(self._records)
        self.is_known = True

    def find(self, secret: str) -> Principal | None:
        """The principal of a secret; None if no valid key has it."""
        digest = digest_of(secret)
        entry = self._stored.get(digest)
        if entry is None:
            return self._plain.get(digest)
        now = self._now()
        is_valid = entry.record.is_valid(now) and not has_passed(entry.secret_expires_at, now)
        return entry.principal if is_valid else None

    def require_valid(self, owner: str) -> None:
        """Check that a key which was let in before is still valid: a request may last for minutes.

        Raises:
            UnauthorisedError: it was revoked, or has expired.
        """
        record = self._records.get(owner)
        if record is not None and not record.is_valid(self._now()):
            raise UnauthorisedError("this key is no longer valid")

    def open_jobs_of(self, owner: str) -> int | None:
        """The most open jobs of an owner; None if its key does not say."""
        record = self._records.get(owner)
        return None if record is None else record.limits.open_jobs

    def record_of(self, owner: str) -> KeyRecord | None:
        """The stored key that owns something; None for a key of API_KEYS, or one that is forgotten."""
        return self._records.get(owner)


def _plain_principal(number: int, key: str) -> Principal:
    """A key of API_KEYS has every scope and no limits. Its owner is 128 bits of its digest, as in earlier versions."""
    return Principal(f"API_KEYS:{number}", digest_of(key)[:_OWNER_CHARS], ALL_SCOPES, is_chosen=True)


def _stored_principal(record: KeyRecord) -> Principal:
    # The one object for no limits, so that a request sees at a glance that there is nothing to count.
    limits = NO_LIMITS if record.limits == NO_LIMITS else record.limits
    return Principal(record.id, record.id, frozenset(record.scopes), limits)
