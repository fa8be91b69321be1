"""Holds keys to their rates, counted in the store over all API processes together.

A key with a rate costs one call of the store per request, and one more for its texts: a script of microseconds that
decides and counts in one step. Counting in each process, and adding up now and then, would save the call and let a
key through several times over while the sums are on their way. A key without a rate costs nothing.
"""

import hashlib
import math
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError

from api.access.principal import Principal
from shared import keys
from shared.access.records import NO_LIMITS, KeyLimits
from shared.errors import RateLimitedError, TooLargeError
from shared.store_errors import name_store_error

_SCRIPT = (files("api.access") / "lua" / "charge.lua").read_text("utf-8")
# Redis names scripts by their SHA-1; it is not for security.
_DIGEST = hashlib.sha1(_SCRIPT.encode(), usedforsecurity=False).hexdigest()

Rate = Literal["requests_per_minute", "texts_per_minute", "bytes_per_day"]


@dataclass(frozen=True, slots=True)
class Kind:
    """How a rate is counted, and what it is called."""

    period_ms: int
    what: str


KINDS: dict[Rate, Kind] = {
    "requests_per_minute": Kind(60_000, "requests a minute"),
    "texts_per_minute": Kind(60_000, "texts a minute"),
    "bytes_per_day": Kind(24 * 3_600_000, "bytes in 24 hours"),
}


class Quotas:
    """One per API process."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def charge(self, principal: Principal, use: dict[Rate, int]) -> None:
        """Count what a request uses, all of it or, when one rate is used up, nothing.

        Raises:
            RateLimitedError: a rate is used up; says which, and when there is room for this request.
            TooLargeError: the request alone is more than the rate ever allows.
            UnavailableError: the store does not answer.
        """
        if principal.limits is NO_LIMITS:
            return
        charges = [(rate, units, limit) for rate, units in use.items() if (limit := _limit(principal.limits, rate))]
        for rate, units, limit in charges:
            if units > limit:
                raise TooLargeError(
                    f"this request has {units:,}, and the key may have {limit:,} {KINDS[rate].what}; send it in parts"
                )
        if not charges:
            return
        wait_ms, number = await self._run(principal, charges)
        if wait_ms:
            rate, _, limit = charges[number - 1]
            wait_s = math.ceil(wait_ms / 1000)
            raise RateLimitedError(
                f"this key may have {limit:,} {KINDS[rate].what}; there is room for this request in {wait_s:,} s",
                retry_after_s=wait_s,
            )

    async def _run(self, principal: Principal, charges: list[tuple[Rate, int, int]]) -> tuple[int, int]:
        names = [keys.quota(principal.key_id, rate) for rate, _, _ in charges]
        arguments = [number for rate, units, limit in charges for number in (units, limit, KINDS[rate].period_ms)]
        try:
            try:
                reply: Any = await self._redis.evalsha(_DIGEST, len(names), *names, *arguments)
            except NoScriptError:
                reply = await self._redis.eval(_SCRIPT, len(names), *names, *arguments)
        except (RedisError, OSError) as error:
            raise name_store_error(error) from error
        return reply[0], reply[1]


def _limit(limits: KeyLimits, rate: Rate) -> int | None:
    found: int | None = getattr(limits, rate)
    return found
