"""Counts in memory which entries fired, and adds them to the store every few seconds: no text waits for it."""

import threading
from collections import Counter
from collections.abc import Iterable

from redis.exceptions import RedisError

from shared.log import get_logger
from shared.policies.hits import HitStore, entry_field
from shared.verdict import Match

log = get_logger(__name__)

FLUSH_S = 2.0
# Kept while the store does not answer; more are not counted.
MAX_WAITING = 50_000


class HitCounter:
    """Thread-safe."""

    def __init__(self, store: HitStore) -> None:
        self._store = store
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._flush_forever, name="policy-hits", daemon=True)

    def start(self) -> None:
        """Start adding to the store."""
        self._thread.start()

    def stop(self) -> None:
        """Add what is left and stop."""
        self._stopping.set()
        self._thread.join(FLUSH_S)

    def note(self, policy: str, matches: Iterable[Match]) -> None:
        """Count one text in which these entries of a policy fired."""
        fields = {entry_field(match.list, match.term) for match in matches}
        with self._lock:
            if len(self._counts) < MAX_WAITING:
                self._counts.update((policy, field) for field in fields)

    def _flush_forever(self) -> None:
        is_stopping = False
        while not is_stopping:
            is_stopping = self._stopping.wait(FLUSH_S)
            self._flush()

    def _flush(self) -> None:
        with self._lock:
            counts, self._counts = self._counts, Counter()
        if not counts:
            return
        try:
            self._store.add(counts)
        except RedisError as error:
            log.debug("hits_not_stored", error_type=type(error).__name__)
            with self._lock:
                self._counts.update(counts)
