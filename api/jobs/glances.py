"""One look at a job for all who follow it: their number must not multiply what the store is asked."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

from shared.jobs.records import Job

# A look this young serves others too.
FRESH_S = 0.25
# Followers beyond some make everybody's looks rarer.
LOOK_S = 0.5
LOOK_S_PER_FOLLOWER = 0.01
SPREAD = 0.25


def pause_s(follower_count: int) -> float:
    """How long a follower waits between two looks: some longer and some shorter, so that they do not come at once."""
    around = random.uniform(1 - SPREAD, 1 + SPREAD)  # noqa: S311  no secret
    return max(LOOK_S, LOOK_S_PER_FOLLOWER * follower_count) * around


class Glances:
    """Shares looks that several followers take at about the same time. `look` gets a job by its id and owner."""

    def __init__(self, look: Callable[[str, str], Awaitable[Job]]) -> None:
        self._look = look
        self._shared: dict[tuple[str, str], tuple[float, asyncio.Future[Job]]] = {}

    async def get(self, job_id: str, owner: str) -> Job:
        """The job as it was a moment ago.

        Raises:
            NotFoundError, StoreUnavailableError: as the look.
        """
        now = time.monotonic()
        key = (job_id, owner)
        began_at, job = self._shared.get(key, (0.0, None))
        if job is None or now - began_at > FRESH_S:
            job = asyncio.ensure_future(self._look(job_id, owner))
            self._shared = {other: look for other, look in self._shared.items() if now - look[0] <= FRESH_S}
            self._shared[key] = (now, job)
        # One follower who leaves must not end the look of the others.
        return await asyncio.shield(job)

    def forget(self, job_id: str, owner: str) -> None:
        """The job was deleted: whoever looks next finds it gone."""
        self._shared.pop((job_id, owner), None)
