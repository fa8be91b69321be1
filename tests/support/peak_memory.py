"""The largest memory of each process below another, read from the kernel's own high-water marks."""

import contextlib
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import psutil

_SAMPLE_S = 0.02
# To look for new ones takes the kernel's whole list, ten times as long as to look at those that are known.
_SEARCH_S = 0.2


@dataclass
class PeakMemory:
    """Watches the descendants of process `pid` (default: this one) until its block ends."""

    pid: int | None = None
    # MiB and the command line of each process seen.
    peaks: dict[int, tuple[float, str]] = field(default_factory=dict)
    _stopped: bool = False

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped = True
        self._thread.join()

    def peak_mib(self, command: str = "") -> float:
        """The largest of the processes whose command line contains `command`; 0 if there was none."""
        return max((peak for peak, line in self.peaks.values() if command in line), default=0.0)

    def _watch(self) -> None:
        parent = psutil.Process(self.pid)
        children: list[psutil.Process] = []
        searched_at = 0.0
        while not self._stopped:
            if time.monotonic() - searched_at > _SEARCH_S:
                with contextlib.suppress(psutil.Error):
                    children = parent.children(recursive=True)
                searched_at = time.monotonic()
            for child in children:
                self._see(child.pid)
            time.sleep(_SAMPLE_S)

    def _see(self, pid: int) -> None:
        try:
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            command = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
        except OSError:
            return
        marks = [int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")]
        if marks:
            # Of a process that is about to start another program, the mark is its parent's: the last command counts.
            before, known = self.peaks.get(pid, (0.0, ""))
            self.peaks[pid] = (max(before, marks[0]) if known == command else marks[0]), command
