"""The audit log: who changed or deleted what, by key id. It has no secrets and no texts.

A stream in the store, the last 10,000 entries, kept for a year after the last one. The processes log each as well.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from shared import keys

MAX_ENTRIES = 10_000
LIFE_S = 365 * 24 * 3600
MAX_TARGET_CHARS = 200


def append(pipeline: Any, actor: str, action: str, target: str) -> None:  # noqa: ANN401  of redis-py, blocking or not
    """Queue one entry on a pipeline: `actor` (a key id) did `action` (`job.deleted`) to `target` (an id, a name)."""
    entry = {"actor": actor, "action": action, "target": target[:MAX_TARGET_CHARS]}
    pipeline.xadd(keys.ACCESS_AUDIT, entry, maxlen=MAX_ENTRIES, approximate=True)
    pipeline.expire(keys.ACCESS_AUDIT, LIFE_S)


def describe(entry_id: bytes, fields: Mapping[bytes, bytes]) -> dict[str, str]:
    """An entry as people read it; its id begins with the time in milliseconds."""
    at = datetime.fromtimestamp(int(entry_id.partition(b"-")[0]) / 1000, UTC)
    return {"at": at.isoformat(timespec="seconds"), **{name.decode(): value.decode() for name, value in fields.items()}}
