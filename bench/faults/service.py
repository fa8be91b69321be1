"""The service under test: a stack with a supervisor, a slow way to its store, and a clock that can be stepped.

The supervisor holds the socket of the first API, as `kobert run` and systemd's socket units do.
"""

import contextlib
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from redis import Redis

from bench.faults.callers import Callers
from shared.listening import BACKLOG, open_listeners
from tests.support.stack import Part, Stack, wait_until
from tests.support.stepped_clock import SteppedClock
from tests.support.store_proxy import StoreProxy

LEASE_S, RESTART_S, LOOK_S = 4, 0.5, 0.05


class Service(Stack):
    """Starts on entering. What ends is started again half a second later, as a supervisor does."""

    def __init__(
        self, folder: Path, model: Path, workers: int, apis: int, *, has_one_socket: bool = False, **settings: object
    ) -> None:
        self.clock = SteppedClock(folder)
        clock = {name.lower(): value for name, value in self.clock.environment.items()}
        more: dict[str, Any] = {**clock, **settings}
        direct = f"unix://{folder}/store.sock?db=0"
        super().__init__(
            folder,
            model,
            echo_pass_s=0.004,
            echo_triggers=folder,
            job_lease_s=LEASE_S,
            redis_url=f"unix://{folder}/proxy.sock?db=0",
            **more,
        )
        self.redis_url = direct
        self.store.environment |= self.clock.environment
        self.urls = [self.url]
        self.callers: Callers | None = None
        # The text of this trial that ends each process that reads it.
        self.deadly_text = ""
        self._counts = (workers, apis)
        self._has_one_socket = has_one_socket
        # As `kobert run` and systemd hold it: connections wait while the API is started again.
        (listener,) = open_listeners("127.0.0.1", self.port)
        listener.listen(BACKLOG)
        self.api.listeners = [listener]
        self._is_on = True
        self._supervisor = threading.Thread(target=self._supervise, daemon=True)

    def __enter__(self) -> Self:
        workers, apis = self._counts
        self.proxy = StoreProxy(self.folder / "proxy.sock", self.folder / "store.sock")
        try:
            self.start(workers)
            for _ in range(apis - 1):
                self._add_api()
        except BaseException:
            self.stop()
            raise
        self._supervisor.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_on = False
        self._supervisor.join()
        self.stop()
        for api in (self.api, *self.more_apis):
            for listener in api.listeners:
                listener.close()
        self.proxy.close()

    def _add_api(self) -> None:
        if not self._has_one_socket:
            self.urls.append(self.add_api())
            return
        log = self.folder / f"api-shared-{len(self.more_apis)}.log"
        api = Part(self.api.command, self.api.environment, log, self.checkout)
        api.listeners = self.api.listeners
        self.more_apis.append(api)
        api.start()
        wait_until(lambda: "api_ready" in log.read_text(), "the start of one more API")

    def redis(self) -> Redis:
        """A connection beside the proxy."""
        return Redis.from_url(self.redis_url)

    def send_text(self, text: str) -> None:
        """Send it once beside the other texts."""
        if self.callers is not None:
            self.callers.send_now(text)

    @staticmethod
    def wait_restarted(part: Part, pid: int, end: Callable[[], object]) -> None:
        """End a part, and wait until the supervisor has started it again."""
        end()
        wait_until(lambda: part.is_running and part.pid != pid, "the new start of what was ended")

    def _supervise(self) -> None:
        ended_at: dict[int, float] = {}
        while self._is_on:
            for part in (self.store, self.api, *self.more_apis, *self.workers):
                if part.is_running:
                    continue
                if time.monotonic() - ended_at.setdefault(part.pid, time.monotonic()) > RESTART_S:
                    part.start()
            time.sleep(LOOK_S)
        with contextlib.suppress(ProcessLookupError, AssertionError):
            for part in (self.api, *self.more_apis, *self.workers, self.store):
                part.process.send_signal(signal.SIGCONT)  # type: ignore[union-attr]
