"""How often each entry of a policy fired: counted by the workers, shown by the API, forgotten after a month unused."""

from collections.abc import Mapping

from redis import Redis

from shared import keys

HITS_TTL_S = 30 * 24 * 3600


class HitStore:
    """Thread-safe and blocking. Raises `redis.RedisError` when Redis does not answer."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def add(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Add to the counts, by (policy, entry)."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for (policy, entry), count in counts.items():
                pipeline.hincrby(keys.policy_hits(policy), entry, count)
            for policy in {policy for policy, _ in counts}:
                pipeline.expire(keys.policy_hits(policy), HITS_TTL_S)
            pipeline.execute()


def entry_field(kind: str, term: str) -> str:
    """How an entry is called in the store: `deny:멍청이`."""
    return f"{kind}:{term}"


def read_hits(found: Mapping[bytes, bytes]) -> dict[str, int]:
    """Counts by entry."""
    return {field.decode(): int(count) for field, count in found.items()}
