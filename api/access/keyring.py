"""The keys that open the service, in the memory of one API process: a request is checked without asking the store."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from api.access.principal import ALL_SCOPES, EVERYBODY, Principal
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
        self._plain_ids = {principal.owner: principal.key_id for principal in self._plain.values()}
        self._stored: dict[str, _Entry] = {}
        self._records: dict[str, KeyRecord] = {}
        self._of_file: dict[str, _Entry] = {}
        self._file_records: dict[str, KeyRecord] = {}
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
        stored = (*self._records.values(), *self._file_records.values())
        return len(self._plain) + sum(record.is_valid(now) for record in stored) > 1

    def load(self, records: Iterable[KeyRecord]) -> None:
        """Replace the stored keys by those that the store has now."""
        self._records = {record.id: record for record in records}
        self._stored = _entries(self._records)
        self._is_closed = self._is_closed or bool(self._records)
        self.is_known = True

    def load_file(self, records: Iterable[KeyRecord]) -> None:
        """Replace the keys of KEYS_FILE by those that it has now. One that is gone from it is revoked."""
        now = int(self._now())
        gone = {
            owner: record if record.revoked_at is not None else replace(record, revoked_at=now, secrets=())
            for owner, record in self._file_records.items()
        }
        self._file_records = {**gone, **{record.id: record for record in records}}
        self._of_file = _entries(self._file_records, is_chosen=True)
        self._is_closed = True

    def find(self, secret: str) -> Principal | None:
        """The principal of a secret; None if no valid key has it."""
        return self._find(digest_of(secret))

    def _find(self, digest: str) -> Principal | None:
        entry = self._stored.get(digest) or self._of_file.get(digest)
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
        record = self.record_of(owner)
        if record is not None and not record.is_valid(self._now()):
            raise UnauthorisedError("this key is no longer valid")

    def require_open_to(self, principal: Principal) -> None:
        """Check that the secret which let a request in still opens the service: an event stream may last for days.

        Raises:
            UnauthorisedError: its key was revoked or has expired, or the secret's time has ended after a rotation.
        """
        if not (self.is_open if principal is EVERYBODY else self._find(principal.digest)):
            raise UnauthorisedError("this key is no longer valid")

    def open_jobs_of(self, owner: str) -> int | None:
        """The most open jobs of an owner; None if its key does not say."""
        record = self.record_of(owner)
        return None if record is None else record.limits.open_jobs

    def key_id_of(self, owner: str) -> str:
        """The id of the key that owns something: its owner's name, but for one of API_KEYS."""
        return self._plain_ids.get(owner, owner)

    def record_of(self, owner: str) -> KeyRecord | None:
        """The key of the store or KEYS_FILE that owns something; None for one of API_KEYS, or one that is forgotten."""
        return self._records.get(owner) or self._file_records.get(owner)


def _plain_principal(number: int, key: str) -> Principal:
    """A key of API_KEYS has every scope and no limits. Its owner is 128 bits of its digest, as in earlier versions."""
    digest = digest_of(key)
    return Principal(f"API_KEYS:{number}", digest[:_OWNER_CHARS], ALL_SCOPES, is_chosen=True, digest=digest)


def _entries(records: Mapping[str, KeyRecord], *, is_chosen: bool = False) -> dict[str, _Entry]:
    """What each secret of these keys opens, by its digest."""
    return {
        secret.digest: _Entry(_stored_principal(record, secret.digest, is_chosen=is_chosen), record, secret.expires_at)
        for record in records.values()
        for secret in record.secrets
    }


def _stored_principal(record: KeyRecord, digest: str, *, is_chosen: bool) -> Principal:
    # The one object for no limits, so that a request sees at a glance that there is nothing to count.
    limits = NO_LIMITS if record.limits == NO_LIMITS else record.limits
    return Principal(record.id, record.id, frozenset(record.scopes), limits, is_chosen, digest)
