"""`kobert run` as a user starts it, with the process ids of its parts and a connection to its embedded store."""

import contextlib
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
from redis import Redis

from shared import redis_url
from tests.support.stack import CLEAN_ENVIRONMENT, ROOT, Part, free_port, wait_until


class Child:
    """A process that the command started."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    @property
    def command(self) -> str:
        """Its command line, words apart by spaces."""
        return Path(f"/proc/{self.pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()


class KobertRun:
    """Starts the command on entering, with its data in `folder`; stops it on leaving. `settings` as in the docs."""

    def __init__(self, folder: Path, **settings: object) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        environment = {name.upper(): str(value) for name, value in settings.items()}
        self._part = Part(
            [sys.executable, "-m", "cli.main", "run", "--port", str(port), "--data-dir", str(folder / "data")],
            {**CLEAN_ENVIRONMENT, **environment},
            folder / "run.log",
        )
        self._data_dir = folder / "data"

    def __enter__(self) -> Self:
        self._part.start()
        wait_until(self._is_ready, f"readiness of kobert run, see {self._part.log}")
        children = [Child(int(pid)) for pid in self._children()]
        self.api = next(child for child in children if "api.main" in child.command)
        self.workers = [child for child in children if "worker.main" in child.command]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._part.stop()

    @property
    def pid(self) -> int:
        """Of the command itself, whose children the other processes are."""
        return self._part.pid

    def api_now(self) -> int:
        """The process id of the API that runs now; 0 while there is none."""
        children = [Child(int(pid)) for pid in self._children()]
        with contextlib.suppress(FileNotFoundError):
            return next((child.pid for child in children if "api.main" in child.command), 0)
        return 0

    def redis(self) -> Redis:
        """A connection to the embedded store."""
        return Redis.from_url(redis_url.of_embedded(self._data_dir) or "")

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/ready").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def _children(self) -> list[str]:
        found = subprocess.run(
            ["pgrep", "-P", str(self._part.pid)], cwd=ROOT, capture_output=True, text=True, check=True
        )
        return found.stdout.split()
