"""Writes what requests change or delete to the audit log, by the key that did it."""

from redis.asyncio import Redis
from redis.exceptions import RedisError

from api.access.principal import Principal
from shared.access import audit
from shared.log import get_logger

log = get_logger(__name__)


class AuditLog:
    """One per API process."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def note(self, principal: Principal, action: str, target: str) -> None:
        """Note that `principal` did `action` (`job.deleted`) to `target` (an id or a name, never a text).

        The line in the log is there in any case; the store's entry is missing if the store does not take it.
        """
        log.info("audit", key_id=principal.key_id, action=action, target=target)
        pipeline = self._redis.pipeline(transaction=False)
        audit.append(pipeline, principal.key_id, action, target)
        try:
            await pipeline.execute()
        except (RedisError, OSError) as error:
            log.warning("audit_entry_lost", action=action, error_type=type(error).__name__)
