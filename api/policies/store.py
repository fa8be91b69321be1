"""Policies in Redis as the API changes and lists them. Asynchronous; a worker reads rules with `RulesStore`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from redis.asyncio import Redis

from shared import keys
from shared.errors import (
    ConflictError,
    KobertError,
    NotFoundError,
    OverloadedError,
    PreconditionFailedError,
    RateLimitedError,
    TooLargeError,
)
from shared.policies.hits import read_hits
from shared.policies.records import Policy, PolicyHead, digest_of, pack_policy
from shared.policies.scripts import source_of

# More than the time between the moment a request is accepted and the moment a worker reads its policy.
SPARE_S = 60
# The room may come back when jobs expire, or somebody deletes something.
RETRY_AFTER_S = 60
# How long a deleted policy can be restored.
DELETED_KEPT_S = 30 * 24 * 3600
_PASSING = (keys.POLICIES_PASSING, keys.POLICIES_PASSING_OF)
_HEAD = re.compile(rb"(\d+) (\d+) ([0-9a-f]+) (.*)", re.DOTALL)
_decode_head = msgspec.json.Decoder(PolicyHead).decode
_decode_policy = msgspec.json.Decoder(Policy).decode


@dataclass(frozen=True)
class Stored:
    """What a PUT did: the head as it is now, and whether the policy is new."""

    head: PolicyHead
    is_new: bool


@dataclass(frozen=True)
class StoreLimits:
    """How many policies there may be, how many versions of each are kept, and how many bytes of rules with them.

    `passing_bytes` bounds the rules that are kept for a while only: replaced and deleted ones, and those tried out.
    `key_bytes` bounds what the policies that one key has set take, with their kept versions.
    """

    policies: int
    versions: int
    versions_bytes: int
    passing_bytes: int
    key_bytes: int


@dataclass(frozen=True)
class Sharing:
    """Whether several keys share the store, and then how many bytes of it are free (None: it has no limit)."""

    is_shared: bool = False
    free_bytes: int | None = None


ALONE = Sharing()


class PolicyStore:
    """Every method raises `redis.RedisError` or `OSError` when Redis does not answer."""

    def __init__(self, redis: Redis, limits: StoreLimits, old_rules_s: int) -> None:
        self._redis = redis
        self._limits = limits
        self._old_rules_s = old_rules_s + SPARE_S

    async def version(self) -> int:
        """The version of the last change to any policy."""
        return int(await self._redis.get(keys.POLICIES_VERSION) or 0)

    async def heads(self) -> dict[str, PolicyHead]:
        """All policies by name."""
        found: Any = await self._redis.hgetall(keys.POLICIES)
        return {name.decode(): _read_head(raw) for name, raw in sorted(found.items())}

    async def get(self, name: str) -> tuple[PolicyHead, Policy]:
        """One policy with its lists.

        Raises:
            NotFoundError: there is none of this name.
        """
        while True:
            raw: Any = await self._redis.hget(keys.POLICIES, name)
            if raw is None:
                raise no_policy(name)
            head = _read_head(raw)
            packed: Any = await self._redis.hget(keys.policy_rules(name, head.digest), "rules")
            if packed is not None:  # else it was replaced or deleted between the two
                return head, _decode_policy(packed)

    async def hits(self, name: str) -> dict[str, int]:
        """How often each entry of a policy fired, by `deny:TERM` and `allow:TERM`."""
        found: Any = await self._redis.hgetall(keys.policy_hits(name))
        return read_hits(found)

    async def versions(self, name: str) -> list[PolicyHead]:
        """The heads of the versions that are kept, newest first; those of a deleted policy for a month."""
        found: Any = await self._redis.hgetall(keys.policy_versions(name))
        return sorted(map(_read_head, found.values()), key=lambda head: -head.version)

    async def get_version(self, name: str, version: int) -> tuple[PolicyHead, Policy] | None:
        """One version with its lists; None if it is not kept."""
        heads, rules = _kept(name)
        raw: Any = await self._redis.hget(heads, str(version))
        packed: Any = await self._redis.hget(rules, str(version))
        return None if raw is None or packed is None else (_read_head(raw), _decode_policy(packed))

    async def keep_draft(self, name: str, head: PolicyHead, packed: bytes, sharing: Sharing) -> None:
        """Keep rules that are only tried out, for as long as a text takes, or until as many `drop_draft`.

        Raises:
            OverloadedError: there is no room for them yet.
        """
        wait_s = await self._run(
            "draft",
            [keys.policy_rules(name, head.digest), *_PASSING],
            [packed, self._old_rules_s, self._limits.passing_bytes, head.updated_by, int(sharing.is_shared)],
        )
        if wait_s:
            raise _no_room(wait_s)

    async def drop_draft(self, name: str, digest: str) -> None:
        """Drop rules that are no longer tried out; those of a policy stay."""
        await self._run("undraft", [keys.policy_rules(name, digest), *_PASSING], [])

    async def put(
        self, name: str, policy: Policy, head: PolicyHead, wanted: int | None = None, sharing: Sharing = ALONE
    ) -> Stored:
        """Store it as the newest version. `wanted` is the version that it must replace, 0 for none, None for any.

        Raises:
            PreconditionFailedError: the newest version is another.
            ConflictError: there are as many policies as the store takes, or its author has as many as others may add.
            TooLargeError: the policies that its author has set would take too much.
            RateLimitedError: they would take more of the store than they leave free for others.
            OverloadedError: so much has been replaced in the last minute that there is no room for more yet.
        """
        packed = pack_policy(policy)
        outcome, version, created_at, raw = await self._run(
            "put",
            [
                keys.POLICIES,
                keys.POLICIES_VERSION,
                keys.policy_rules(name, head.digest),
                *_kept(name),
                keys.POLICIES_PASSING,
                keys.POLICIES_SIZES,
                keys.POLICIES_PASSING_OF,
            ],
            [
                name,
                "" if wanted is None else wanted,
                digest_of(packed),
                msgspec.json.encode(head),
                packed,
                self._limits.policies,
                self._old_rules_s,
                keys.policy_rules(name),
                self._limits.versions,
                self._limits.versions_bytes,
                self._limits.passing_bytes,
                head.updated_by,
                self._limits.key_bytes,
                keys.policy_versions(""),
                int(sharing.is_shared),
                "" if sharing.free_bytes is None else sharing.free_bytes,
            ],
        )
        if outcome == b"changed":
            raise _changed(name, version)
        if outcome not in {b"created", b"replaced", b"unchanged"}:
            raise self._refusal(outcome, version)
        stored = msgspec.structs.replace(_decode_head(raw), version=version, created_at=created_at)
        return Stored(stored, outcome == b"created")

    def _refusal(self, outcome: bytes, number: int) -> KobertError:
        """Why a policy was not stored, with the number that goes with it."""
        most = self._limits.policies
        if outcome == b"full":
            return ConflictError(
                f"there are {most} policies (MAX_POLICIES); delete one first", code="too_many_policies"
            )
        if outcome == b"crowd":
            return ConflictError(
                f"this key has set {number} policies, as many as are left to all others (MAX_POLICIES is {most}); "
                "delete one first",
                code="too_many_policies",
            )
        if outcome == b"over":
            return TooLargeError(
                f"the policies that this key has set would take {number:,} bytes, each counted once for use and once "
                f"for each kept version; {self._limits.key_bytes:,} are taken (MAX_POLICY_BYTES_PER_KEY). Delete some "
                "that are not needed"
            )
        if outcome == b"share":
            return RateLimitedError(
                f"the policies that this key has set may take {number:,} bytes of the store now, as it leaves as much "
                "free for others as it takes (MAX_STORE_FILL); delete some that are not needed, or make them smaller",
                retry_after_s=RETRY_AFTER_S,
            )
        return _no_room(number)

    async def delete(self, name: str, wanted: int | None = None, *, key_id: str = "") -> None:
        """Delete it for a key; `wanted` is the version that it must have, None for any.

        Raises:
            NotFoundError: there is none of this name.
            PreconditionFailedError: it has another version.
        """
        outcome, version = await self._run(
            "delete",
            [
                keys.POLICIES,
                keys.POLICIES_VERSION,
                *_kept(name),
                keys.POLICIES_DELETED,
                keys.POLICIES_PASSING,
                keys.POLICIES_SIZES,
                keys.POLICIES_PASSING_OF,
            ],
            [
                name,
                "" if wanted is None else wanted,
                self._old_rules_s,
                keys.policy_rules(name),
                DELETED_KEPT_S,
                keys.policy_versions(""),
                self._limits.policies,
                self._limits.versions_bytes,
                key_id,
            ],
        )
        if outcome == b"missing":
            raise no_policy(name)
        if outcome == b"changed":
            raise _changed(name, version)

    async def _run(self, script: str, names: list[str], arguments: list[Any]) -> Any:  # noqa: ANN401  each script has its own reply
        source = "".join(map(source_of, ("versions", "passing", "sizes", script)))
        reply: Any = await self._redis.eval(source, len(names), *names, *arguments)
        return reply


def _kept(name: str) -> list[str]:
    return [keys.policy_versions(name), keys.policy_versions(name, ":rules")]


def no_policy(name: str, known: Mapping[str, PolicyHead] | None = None) -> NotFoundError:
    """The error for a policy that does not exist."""
    there = f"; there are {', '.join(list(known)[:10])}" if known else ""
    return NotFoundError(f"there is no policy {name[:64]!r}{there}", param="policy")


def _no_room(wait_s: int) -> OverloadedError:
    return OverloadedError(
        "the rules that were replaced, deleted or tried in the last minute are kept for texts on their way, and take "
        "all the room for them, or this key's part of it (16 times MAX_POLICY_BYTES); try again later",
        retry_after_s=wait_s,
    )


def _changed(name: str, version: int) -> PreconditionFailedError:
    there = f"is at version {version}" if version else "does not exist"
    return PreconditionFailedError(
        f"policy {name!r} {there}, which is not the version of If-Match; read it again and repeat the change"
    )


def _read_head(raw: bytes) -> PolicyHead:
    found = _HEAD.fullmatch(raw)
    if found is None:
        raise ValueError("the store holds a policy that is none")
    return msgspec.structs.replace(_decode_head(found[4]), version=int(found[1]), created_at=int(found[2]))
