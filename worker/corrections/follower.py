"""Keeps a worker's book of corrections in step with the store: one small read four times a second."""

import threading
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from shared.corrections.store import PAGE, CorrectionStore, Position
from shared.log import get_logger
from worker.corrections.book import CorrectionBook

log = get_logger(__name__)

INTERVAL_S = 0.25
_TIMEOUT_S = 5


class CorrectionFollower:
    """One thread. A store that does not answer leaves the book as it is; one that is back is read whole.

    A store may have lost its last second when it comes back, so its versions alone do not say what it holds.
    """

    def __init__(self, redis_url: str, book: CorrectionBook, interval_s: float = INTERVAL_S) -> None:
        # The client connects again by itself, so it is asked to say so.
        self._redis: Redis = Redis.from_url(
            redis_url,
            socket_timeout=_TIMEOUT_S,
            socket_connect_timeout=_TIMEOUT_S,
            redis_connect_func=self._note_connection,
        )
        self._store = CorrectionStore(self._redis)
        self._book = book
        self._interval_s = interval_s
        self._known = Position()
        self._is_new_connection = True
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="corrections", daemon=True)

    def start(self) -> None:
        """Read all corrections now, then follow their changes."""
        self._refresh_if_reachable()
        self._thread.start()

    def stop(self) -> None:
        """Stop following."""
        self._stopping.set()
        self._thread.join()
        self._redis.close()

    def refresh(self) -> None:
        """Bring the book up to date.

        Raises:
            RedisError: the store does not answer.
        """
        known, position = self._known, self._store.position()
        if self._is_new_connection or position.epoch != known.epoch or position.version < known.version:
            self._read_all()
        elif position != known:
            self._read_changes(known)

    def _read_all(self) -> None:
        self._is_new_connection = False
        # Whatever is withdrawn while the pages are read has a later version than this.
        start = self._store.position()
        self._book.replace(self._store.all())
        self._known = start
        if len(self._book):
            log.info("corrections_read", corrections=len(self._book))

    def _read_changes(self, known: Position) -> None:
        while True:
            changes = self._store.changes(known.version)
            if changes.forgotten > known.version or changes.reached.epoch != known.epoch:
                self._read_all()
                return
            self._book.update(changes.changed, changes.withdrawn)
            self._known = known = changes.reached
            if len(changes.changed) < PAGE:
                return

    def _note_connection(self, connection: Any) -> None:  # noqa: ANN401  redis-py has three kinds
        self._is_new_connection = True
        connection.on_connect()

    def _run(self) -> None:
        while not self._stopping.wait(self._interval_s):
            self._refresh_if_reachable()

    def _refresh_if_reachable(self) -> None:
        try:
            self.refresh()
        except RedisError as error:
            self._is_new_connection = True
            log.debug("corrections_unreachable", error_type=type(error).__name__)
        except Exception as error:
            # Whatever a record does, the others must go on being followed.
            log.exception("corrections_refresh_failed", error_type=type(error).__name__)
