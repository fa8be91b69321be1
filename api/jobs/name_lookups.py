"""Looks names of webhook receivers up for uploads, within a deadline: a silent name server must hold nobody up.

The system's resolver cannot be interrupted. So each lookup has a thread of its own, which is left behind at the
deadline; there are few of them at a time, and one owner has half of them at most.
"""

import threading
from collections import Counter
from concurrent.futures import Future

from api.jobs.webhook_target import Address, look_up
from shared.errors import MalformedRequestError, OverloadedError, RateLimitedError

NAME_TIMEOUT_S = 3.0
# Lookups at a time, with those that nobody waits for any more.
LOOKUPS = 16
# The system's resolver gives up after about so long.
RETRY_AFTER_S = 10


class NameLookups:
    """Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: Counter[str] = Counter()

    @property
    def is_busy(self) -> bool:
        """Whether any name is being looked up."""
        with self._lock:
            return self._running.total() > 0

    def look_up(self, owner: str, host: str, port: int) -> list[Address]:
        """Every address of a name; none where nobody knows it.

        Raises:
            MalformedRequestError: nobody has answered in time.
            OverloadedError, RateLimitedError: too many names are being looked up, of all or of this owner.
        """
        self._take_place(owner)
        found: Future[list[Address]] = Future()
        thread = threading.Thread(target=self._run, args=(owner, host, port, found), name="webhook-name", daemon=True)
        thread.start()
        try:
            return found.result(NAME_TIMEOUT_S)
        except TimeoutError as error:
            raise MalformedRequestError(
                f"webhook_url: no name server told the address of {host[:100]} within {NAME_TIMEOUT_S:g} s",
                param="webhook_url",
            ) from error

    def _take_place(self, owner: str) -> None:
        with self._lock:
            if self._running.total() >= LOOKUPS:
                raise OverloadedError(
                    f"{LOOKUPS} names of webhook receivers are being looked up; try again shortly",
                    retry_after_s=RETRY_AFTER_S,
                )
            if self._running[owner] >= LOOKUPS // 2:
                raise RateLimitedError(
                    f"{LOOKUPS // 2} names of webhook receivers are being looked up for this key; try again shortly",
                    retry_after_s=RETRY_AFTER_S,
                )
            self._running[owner] += 1

    def _run(self, owner: str, host: str, port: int, found: "Future[list[Address]]") -> None:
        try:
            found.set_result(look_up(host, port))
        except Exception as error:  # noqa: BLE001  whoever waits is told
            found.set_exception(error)
        finally:
            with self._lock:
                self._running[owner] -= 1
                if not self._running[owner]:
                    del self._running[owner]
