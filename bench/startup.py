"""How long `make run` takes from a warm environment to its first answer, and what its processes use for it.

    python -m bench.startup [--rounds N] [--beside FOLDER] [--smoke]

Starts the service as `make run` does, in a new data folder, and stops it again. Prints, as min / median / max over the
rounds, the seconds until the API listens, until a worker is ready (`/ready` answers 200), and until the first text is
answered; and the processor time of a plain import of each process's main module. `--beside` names another checkout,
which is measured in turns with this one.
"""

import argparse
import contextlib
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import httpx

from tests.support.stack import CLEAN_ENVIRONMENT, ROOT, free_port

TIMEOUT_S = 120
PAUSE_S = 0.01
MAINS = ("cli.run", "api.main", "worker.main")
NAMES = ("API listens", "worker ready", "first answer")


def start_once(checkout: Path) -> list[float]:
    """Seconds from the start of the command until each of `NAMES`."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="kt-") as folder:
        environment = {**CLEAN_ENVIRONMENT, "PORT": str(port), "DATA_DIR": folder}
        with (Path(folder) / "log").open("wb") as log:
            started = time.perf_counter()
            process = subprocess.Popen(  # noqa: S603  this project's own command
                [str(checkout / ".venv" / "bin" / "kobert"), "run"],
                cwd=checkout,
                env=environment,
                stdout=log,
                stderr=log,
            )
        try:
            return [moment - started for moment in _moments(f"http://127.0.0.1:{port}")]
        finally:
            process.terminate()
            process.wait()


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


def import_s(checkout: Path, module: str) -> float:
    """Processor seconds of a process that only imports `module`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    python = checkout / ".venv" / "bin" / "python"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([python, "-c", f"import {module}"], cwd=checkout, env=environment, check=True)  # noqa: S603
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--beside", type=Path, metavar="FOLDER")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    checkouts = [ROOT] if options.beside is None else [options.beside.resolve(), ROOT]
    figures: dict[tuple[Path, str], list[float]] = {}
    for _ in range(1 if options.smoke else options.rounds):
        for checkout in checkouts:
            for name, seconds in zip(NAMES, start_once(checkout), strict=True):
                figures.setdefault((checkout, name), []).append(seconds)
            for module in MAINS:
                figures.setdefault((checkout, f"import {module}, processor"), []).append(import_s(checkout, module))
    for (checkout, name), values in figures.items():
        sys.stdout.write(f"{checkout.name}: {name:32} {_spread(values)} s\n")


def _spread(values: Sequence[float]) -> str:
    return " / ".join(f"{value:.2f}" for value in (min(values), statistics.median(values), max(values)))


if __name__ == "__main__":
    main()
