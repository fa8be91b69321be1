"""Whom a request speaks for."""

from dataclasses import dataclass, field

from shared.access.records import NO_LIMITS, SCOPES, KeyLimits, Scope


@dataclass(frozen=True, slots=True)
class Principal:
    """The holder of one key, or everybody where no keys are set.

    `owner` is what jobs and policies belong to; it stays when the secret is rotated. `key_id` is for logs. `is_chosen`:
    somebody chose the secret, so it may be guessed. `digest` is that of the secret; both secrets of a rotated key speak
    for the same holder.
    """

    key_id: str
    owner: str
    scopes: frozenset[Scope]
    limits: KeyLimits = NO_LIMITS
    is_chosen: bool = False
    digest: str = field(default="", repr=False, compare=False)


ALL_SCOPES: frozenset[Scope] = frozenset(SCOPES)
EVERYBODY = Principal("everybody", "everybody", ALL_SCOPES)
