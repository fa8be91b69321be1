"""The rules of one version of a policy: read by a worker, and kept for a job that begins with them."""

import msgspec
from redis import Redis

from shared import keys
from shared.options import PolicyRef
from shared.policies.records import Policy
from shared.policies.scripts import source_of

_POLICY = msgspec.json.Decoder(Policy)


class RulesStore:
    """Thread-safe and blocking. Every method raises `redis.RedisError` when Redis does not answer."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def read(self, ref: PolicyRef) -> Policy | None:
        """The rules of this version; None if they are no longer kept.

        Raises:
            msgspec.DecodeError: a later version of this program wrote them.
        """
        packed = self._redis.hget(keys.policy_rules(ref.name, ref.digest), "rules")
        return None if packed is None else _POLICY.decode(packed)

    def pin(self, ref: PolicyRef, seconds: int) -> bool:
        """Keep them for so long, whatever becomes of the policy; False if they are no longer there."""
        return bool(self._redis.eval(source_of("pin"), 1, keys.policy_rules(ref.name, ref.digest), str(seconds)))
