"""How long `make run` takes from a warm environment to its first answer, and what its processes use for it.

    python -m bench.startup [--rounds N] [--beside FOLDER] [--write] [--smoke]

Starts the service by `make run`, in a new data folder and in an environment with what `make run` installs, which is
made in `build/startup` before the first round, and stops it again. Prints, as min / median / max over the rounds, the
seconds until the API listens, until a worker is ready (`/ready` answers 200), and until the first text is answered; and
the processor time of each process until then. `--beside` names another checkout, which is measured in turns with this
one; `--write` puts the table into docs/performance/startup.md. 5 rounds take a minute.

Each checkout is started once before the first round, so that its bytecode is there. That is what a second start of the
service finds, unless PYTHONDONTWRITEBYTECODE is set, as it may be where this runs: the service then starts without it.
"""

import argparse
import contextlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from bench.pages import replace_section
from bench.predict import processor_seconds
from tests.full_size.matrix_page import machine
from tests.support.stack import CLEAN_ENVIRONMENT, ROOT, free_port

TIMEOUT_S = 120
PAUSE_S = 0.01
NAMES = ("API listens", "worker ready", "first answer")
# What the command lines of the processes contain.
PROCESSES = {
    "processor: the command": "bin/kobert run",
    "processor: API": "api.main",
    "processor: worker": "worker.main",
}
HEADING = "## Of `make run`"
ENVIRONMENT = {name: value for name, value in CLEAN_ENVIRONMENT.items() if name != "PYTHONDONTWRITEBYTECODE"}


@dataclass(frozen=True)
class Checkout:
    """A checkout of this project and the environment that it is started in."""

    folder: Path
    venv: Path

    def make(self, *arguments: str, **popen: object) -> subprocess.Popen[bytes]:
        """Start `make` with this environment."""
        command = ["make", "--environment-overrides", f"VENV={self.venv}", *arguments]
        return subprocess.Popen(command, cwd=self.folder, **popen)  # type: ignore[call-overload,no-any-return]  # noqa: S603


def set_up(folder: Path, *, is_smoke: bool) -> Checkout:
    """The checkout with what `make run` installs; a smoke run makes do with what is there."""
    if is_smoke:
        return Checkout(folder, Path(sys.executable).parents[1])
    checkout = Checkout(folder, folder / "build" / "startup")
    if checkout.make(str(checkout.venv / ".run")).wait():
        raise RuntimeError(f"{checkout.venv} could not be made")
    return checkout


def start_once(checkout: Checkout) -> dict[str, float]:
    """Seconds from the start of the command until each of `NAMES`, and of the processor by process."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="kt-") as folder:
        environment = {**ENVIRONMENT, "PORT": str(port), "DATA_DIR": folder}
        with (Path(folder) / "log").open("wb") as log:
            started = time.perf_counter()
            process = checkout.make("run", env=environment, stdout=log, stderr=log)
        try:
            moments = [moment - started for moment in _moments(f"http://127.0.0.1:{port}")]
            used = processor_by_name(process.pid)
        finally:
            process.terminate()
            process.wait()
            _wait_until_free(port)
    return {**dict(zip(NAMES, moments, strict=True)), **used}


def processor_by_name(pid: int) -> dict[str, float]:
    """Processor seconds of the processes below `pid`, by what they are."""
    lines = {}
    for child in psutil.Process(pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):  # what `make` asks before it starts the service may just end
            lines[child.pid] = " ".join(child.cmdline())
    return {
        name: sum(processor_seconds(child) for child, line in lines.items() if part in line)
        for name, part in PROCESSES.items()
    }


def _wait_until_free(port: int) -> None:
    """The command ends with `make`; its processes a little later."""
    deadline = time.perf_counter() + TIMEOUT_S
    while time.perf_counter() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(PAUSE_S)


def _moments(url: str) -> list[float]:
    with httpx.Client(base_url=url, timeout=10) as client:
        return [
            _when(client, "GET", "/health", None),
            _when(client, "GET", "/ready", None),
            _when(client, "POST", "/predict", {"text": "안녕하세요"}),
        ]


def _when(client: httpx.Client, method: str, path: str, body: object) -> float:
    deadline = time.perf_counter() + TIMEOUT_S
    while time.perf_counter() < deadline:
        with contextlib.suppress(httpx.TransportError):
            if client.request(method, path, json=body).status_code == 200:
                return time.perf_counter()
        time.sleep(PAUSE_S)
    raise TimeoutError(f"{path} did not answer within {TIMEOUT_S} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--beside", type=Path, metavar="FOLDER")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    folders = [ROOT] if options.beside is None else [options.beside.resolve(), ROOT]
    checkouts = [set_up(folder, is_smoke=options.smoke) for folder in folders]
    for checkout in [] if options.smoke else checkouts:
        start_once(checkout)
    figures: dict[str, list[list[float]]] = {}
    for _ in range(1 if options.smoke else options.rounds):
        for place, checkout in enumerate(checkouts):
            for name, seconds in start_once(checkout).items():
                figures.setdefault(name, [[] for _ in checkouts])[place].append(seconds)
    rows = [
        f"| {name} | " + " | ".join(f"{_spread(side)} s" for side in sides) + " |" for name, sides in figures.items()
    ]
    heads = ["before", "now"][-len(checkouts) :]
    table = "\n".join([f"| | {' | '.join(heads)} |", "|---" * (len(checkouts) + 1) + "|", *rows])
    sys.stdout.write(f"{table}\n")
    if options.write:
        command = " ".join(["python -m bench.startup", *sys.argv[1:]])
        replace_section("performance/startup.md", f"{HEADING}\n\n`{command}`, {machine()}.\n\n{table}\n")


def _spread(values: Sequence[float]) -> str:
    return " / ".join(f"{value:.2f}" for value in (min(values), statistics.median(values), max(values)))


if __name__ == "__main__":
    main()
