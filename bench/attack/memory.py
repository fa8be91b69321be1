"""Watches the memory of the service's processes while something happens to it."""

import contextlib
import threading
import time
from typing import Self

import psutil

LOOK_S = 0.25
MIB = 1 << 20


class Memory:
    """Peaks of the API and of all processes together, in MiB. Shared pages of several processes are counted once."""

    def __init__(self, run_pid: int, api_pid: int) -> None:
        self._run = psutil.Process(run_pid)
        self._api = psutil.Process(api_pid)
        self.api_peak = 0.0
        self.all_peak = 0.0
        self._is_watching = True
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_watching = False
        self._thread.join()

    def api_now(self) -> float:
        return float(self._api.memory_info().rss / MIB) if self._api.is_running() else float("nan")

    def _watch(self) -> None:
        while self._is_watching:
            with contextlib.suppress(psutil.Error):
                self.api_peak = max(self.api_peak, self.api_now())
            self.all_peak = max(self.all_peak, self._all_now())
            time.sleep(LOOK_S)

    def _all_now(self) -> float:
        total = 0
        for process in (self._run, *self._run.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                total += process.memory_full_info().pss
        return total / MIB
