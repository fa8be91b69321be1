"""Workers that died and this one was started in place of: their heartbeats are ended, and not waited for to run out.

An API that finds a worker listed without a heartbeat sends its texts again, and its chunks of jobs are handed out anew.
`kobert run` ends the heartbeat of a worker that it sees die; Docker and systemd do not, but start the next one.
"""

import hashlib
import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from redis import Redis
from redis.exceptions import RedisError

from shared import keys
from shared.log import get_logger
from shared.messages import Heartbeat, decode
from shared.steady_time import steady_clock

log = get_logger(__name__)

# A worker that lives has written a heartbeat within so many intervals.
SILENT_INTERVALS = 2.5
_NAMESPACE = Path("/proc/self/ns/pid")
_DIGEST_BYTES = 6


@cache
def process_space() -> str:
    """Names what gives process ids here: the machine's start, or a container's; empty if unknown."""
    if not steady_clock() or not _NAMESPACE.is_symlink():
        return ""
    name = f"{steady_clock()} {_NAMESPACE.readlink()}"
    return hashlib.blake2b(name.encode(), digest_size=_DIGEST_BYTES).hexdigest()


class Predecessors:
    """Of one worker that starts, on `host` as process `pid`; heartbeats are written every `interval_s`."""

    def __init__(self, redis: Redis, interval_s: float, host: str | None = None, pid: int | None = None) -> None:
        self._redis = redis
        self._interval_s = interval_s
        self._host = socket.gethostname() if host is None else host
        self._pid = os.getpid() if pid is None else pid
        # Workers whose processes are gone, and whose heartbeats stay until this one answers in their place.
        self._gone: list[str] = []
        # Heartbeats of workers that may be the earlier run of this container, as they were when this one began.
        self._seen: dict[str, bytes] = {}
        self._seen_at = 0.0

    def begin(self) -> None:
        """Note who is gone, and end its heartbeat if another worker can answer for it now.

        Else texts would be refused: they wait for this one. A container that is started again has its name and the id
        of its first process, and counts processes anew. That two that live are called the same is rare, but happens: so
        such a worker is only dead if it stays silent.
        """
        beats = self._beats()
        self._seen_at = time.monotonic()
        here = process_space()
        own = {name: (raw, beat) for name, (raw, beat) in beats.items() if beat.host == self._host}
        self._gone = [
            name for name, (_, beat) in own.items() if beat.process_space == here != "" and _is_gone(beat.pid)
        ]
        self._seen = {
            name: raw
            for name, (raw, beat) in own.items()
            if beat.pid == self._pid and beat.process_space not in {"", here}
        }
        doubtful = {*self._gone, *self._seen}
        if any(beat.takes != "jobs" for name, (_, beat) in beats.items() if name not in doubtful):
            self._end(self._gone)
            self._gone = []

    def wait_s(self) -> float:
        """How long after this worker's first heartbeat `end_rest` can tell all."""
        silence_s = SILENT_INTERVALS * self._interval_s - (time.monotonic() - self._seen_at) if self._seen else 0.0
        return max(self._interval_s, silence_s)

    def end_rest(self) -> None:
        """End the heartbeats of those that are gone, and those that were noted and have not been written since."""
        now = self._beats() if self._seen else {}
        self._end([*self._gone, *(name for name, raw in self._seen.items() if name in now and now[name][0] == raw)])

    def _beats(self) -> Mapping[str, tuple[bytes, Heartbeat]]:
        """All heartbeats; none while the store does not answer."""
        found: dict[str, tuple[bytes, Heartbeat]] = {}
        try:
            listed: Any = self._redis.zrange(keys.WORKERS, 0, -1)
            names = [raw.decode() for raw in listed]
            bodies: Any = self._redis.mget([keys.worker(name) for name in names]) if names else []
        except RedisError as error:
            log.debug("predecessors_not_read", error_type=type(error).__name__)
            return found
        for name, raw in zip(names, bodies, strict=True):
            with suppress(msgspec.DecodeError):
                if raw is not None:
                    found[name] = (raw, decode(raw, Heartbeat))
        return found

    def _end(self, names: list[str]) -> None:
        if not names:
            return
        log.warning("predecessor_ended", worker_ids=names)
        try:
            self._redis.delete(*(keys.worker(name) for name in names))
        except RedisError as error:
            log.debug("predecessor_not_ended", error_type=type(error).__name__)


def _is_gone(pid: int) -> bool:
    """Whether no process has this id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False
