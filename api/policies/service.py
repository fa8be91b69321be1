"""Changes and shows policies for the routes."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.exceptions import RedisError

from api.policies.book import PolicyBook
from api.policies.file import read_policies_file
from api.policies.store import PolicyStore, Sharing, Stored, StoreLimits, no_policy
from shared.errors import ConflictError, MalformedRequestError, NotFoundError, TooLargeError
from shared.options import PolicyRef, VerdictOptions
from shared.policies.hits import entry_field
from shared.policies.parsing import parse_policy
from shared.policies.records import MAX_NAME_CHARS, Policy, PolicyHead, is_policy_name, make_head, pack_policy
from shared.settings import Settings
from shared.store_errors import name_store_error

T = TypeVar("T")
# Rules that are replaced, deleted or tried within the time that a text takes: as much as so many of the largest.
PASSING_POLICIES = 16
# Raises UnsupportedOptionError where a model that is served cannot follow them.
OptionsCheck = Callable[[VerdictOptions], None]


class PolicyService:
    """One per API process. Every method that waits raises `UnavailableError` when Redis does not answer."""

    def __init__(self, settings: Settings, store: PolicyStore, book: PolicyBook, check_options: OptionsCheck) -> None:
        self._settings = settings
        self._store = store
        self._check_options = check_options
        self._reading = asyncio.Semaphore()
        self.book = book

    async def put(
        self, name: str, body: Mapping[str, Any], key_id: str, wanted: int | None, sharing: Sharing
    ) -> tuple[Stored, Policy]:
        """Store the rules in `body` under `name`; `wanted` is the version that they must replace, 0 for none.

        Returns what was stored with its lists: reading them again would hold them twice.

        Raises:
            MalformedRequestError: the name or a rule cannot work; names the field or the entry.
            UnsupportedOptionError: the served model lacks a level or a label.
            TooLargeError: more entries or bytes than a policy takes, or than the policies of one key may take together.
            ConflictError: POLICIES_FILE has the policy, or there are too many, of all or of this key; or another
                version is the newest.
            RateLimitedError: the key's policies would take more of the store than they leave free for others.
            OverloadedError: so much has been replaced in the last minute that there is no room for more yet.
        """
        if not is_policy_name(name):
            raise MalformedRequestError(
                f"a policy's name has 1 to {MAX_NAME_CHARS} letters, digits, _, - and dots, not {name[:80]!r}",
                param="name",
            )
        policy, _, head = await self._read_apart(body, key_id)
        self._require_changeable(name)
        stored = await _named(self._store.put(name, policy, head, wanted, sharing))
        await _named(self.book.refresh())
        return stored, policy

    async def get(self, name: str) -> tuple[PolicyHead, Policy]:
        """One policy with its lists.

        Raises:
            NotFoundError: there is none of this name.
        """
        if not is_policy_name(name):
            raise no_policy(name)
        return await _named(self._store.get(name))

    async def versions(self, name: str) -> tuple[PolicyHead | None, list[PolicyHead]]:
        """The policy as it is, None if it was deleted, and the heads of the versions that are kept, newest first.

        Raises:
            NotFoundError: there is none of this name, and none was deleted in the last month.
        """
        if not is_policy_name(name):
            raise no_policy(name)
        now = (await self.heads()).get(name)
        kept = await _named(self._store.versions(name))
        if now is None and not kept:
            raise no_policy(name)
        return now, kept

    async def get_version(self, name: str, version: int) -> tuple[PolicyHead, Policy]:
        """One version with its lists.

        Raises:
            NotFoundError: it is not kept.
        """
        found = await _named(self._store.get_version(name, version)) if is_policy_name(name) else None
        if found is None:
            raise NotFoundError(f"version {version} of policy {name[:64]!r} is not kept", param="version")
        return found

    @asynccontextmanager
    async def draft(
        self, name: str, body: Mapping[str, Any], key_id: str, sharing: Sharing
    ) -> AsyncIterator[tuple[VerdictOptions | None, VerdictOptions]]:
        """Options to judge by the policy as it is (None: there is none), and by the rules in `body` instead.

        Neither counts as a hit of the policy, and nothing is stored but what the workers need for one request.

        Raises:
            MalformedRequestError, UnsupportedOptionError, TooLargeError, OverloadedError: as `put`.
        """
        if not is_policy_name(name):
            raise no_policy(name)
        packed, head = (await self._read_apart(body, key_id))[1:]
        await _named(self._store.keep_draft(name, head, packed, sharing))
        del packed, body  # megabytes, and judging may take a while
        now = self.book.heads.get(name)
        try:
            yield None if now is None else _uncounted(name, now), _uncounted(name, head)
        finally:
            # Without an answer of the store the rules end by themselves, a little later.
            with suppress(RedisError, OSError):
                await self._store.drop_draft(name, head.digest)

    async def hits(self, name: str) -> list[tuple[str, str, int]]:
        """The entries of a policy as (list, term, how often it fired), the most frequent first.

        Raises:
            NotFoundError: there is none of this name.
        """
        _, policy = await self.get(name)
        counts = await _named(self._store.hits(name))
        entries = [("deny", entry.term) for entry in policy.deny] + [("allow", entry.term) for entry in policy.allow]
        counted = [(kind, term, counts.get(entry_field(kind, term), 0)) for kind, term in dict.fromkeys(entries)]
        return sorted(counted, key=lambda entry: -entry[2])

    async def heads(self) -> Mapping[str, PolicyHead]:
        """All policies by name, as the store has them now."""
        await _named(self.book.refresh())
        return self.book.heads

    async def delete(self, name: str, wanted: int | None, key_id: str) -> None:
        """Delete a policy; texts in flight and jobs that began with it are still judged by it.

        Raises:
            NotFoundError: there is none of this name.
            ConflictError: POLICIES_FILE has it; or it has another version than `wanted`.
        """
        if not is_policy_name(name):
            raise no_policy(name)
        self._require_changeable(name)
        await _named(self._store.delete(name, wanted, key_id=key_id))
        await _named(self.book.refresh())

    async def _read_apart(self, body: Mapping[str, Any], key_id: str) -> tuple[Policy, bytes, PolicyHead]:
        """As `_read`, in a thread: 20,000 entries take a tenth of a second. One at a time."""
        async with self._reading:
            return await asyncio.to_thread(self._read, body, key_id)

    def _read(self, body: Mapping[str, Any], key_id: str) -> tuple[Policy, bytes, PolicyHead]:
        """The rules in `body`, packed, and with the head that they would have."""
        policy = parse_policy(body, self._settings.max_policy_entries)
        packed = pack_policy(policy)
        if len(packed) > self._settings.max_policy_bytes:
            raise TooLargeError(
                f"the policy has {len(packed):,} bytes; {self._settings.max_policy_bytes:,} are taken "
                "(MAX_POLICY_BYTES)"
            )
        head = make_head(policy, packed, updated_at=int(time.time()), updated_by=key_id)
        self._check_supported(head)
        return policy, packed, head

    def _check_supported(self, head: PolicyHead) -> None:
        """While no worker runs nobody can say; then the texts are refused for what the model lacks."""
        own = set(head.own_labels)
        labels = None if head.labels is None else tuple(label for label in head.labels if label not in own)
        self._check_options(VerdictOptions(head.strictness, tuple(head.thresholds.items()), labels=labels))

    def _require_changeable(self, name: str) -> None:
        head = self.book.heads.get(name)
        if head is not None and head.source == "file":
            raise ConflictError(
                f"policy {name!r} is in POLICIES_FILE; change it there and restart the api", code="policy_read_only"
            )


def _uncounted(name: str, head: PolicyHead) -> VerdictOptions:
    """Options from a policy alone. Version 0, which no stored policy has, keeps its hits from being counted."""
    return VerdictOptions(
        strictness=head.strictness,
        thresholds=tuple(sorted(head.thresholds.items())),
        labels=head.labels,
        policy=PolicyRef(name, 0, head.digest),
    )


async def _named(work: Awaitable[T]) -> T:
    try:
        return await work
    except (RedisError, OSError) as error:
        raise name_store_error(error) from error


@asynccontextmanager
async def running_policies(
    settings: Settings, redis: Redis, check_options: OptionsCheck
) -> AsyncIterator[PolicyService]:
    """The service, with its book following the store.

    Raises:
        SettingsError: POLICIES_FILE cannot work.
    """
    size = settings.max_policy_bytes
    limits = StoreLimits(
        settings.max_policies,
        settings.max_policy_versions,
        2 * size,
        PASSING_POLICIES * size,
        settings.max_policy_bytes_per_key,
    )
    store = PolicyStore(redis, limits, int(settings.predict_timeout_s))
    book = PolicyBook(store, read_policies_file(settings.policies_file, settings.max_policy_entries))
    await book.start()
    try:
        yield PolicyService(settings, store, book, check_options)
    finally:
        await book.close()
