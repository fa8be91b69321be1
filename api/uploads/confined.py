"""Runs what reads or writes binary tables in a process of its own, with limits on memory and processor time.

A few bytes of xlsx or parquet can unpack to gigabytes, and their libraries hold Python's lock for seconds. In a process
of its own neither reaches the service: it ends by its limit, and `/predict` goes on.
"""

import os
import resource
import subprocess
import sys
from typing import IO, Any

# Address space. A sheet of a million comments takes about half of it.
MAX_MEMORY_BYTES = 512 << 20
MAX_CPU_S = 300
# What such a process needs of its surroundings: no keys, no addresses.
_PASSED_ON = (
    "PATH",
    "PYTHONPATH",
    "LD_LIBRARY_PATH",
    "TMPDIR",
    "HOME",
    "LANG",
    "SYSTEMROOT",
    "COVERAGE_PROCESS_CONFIG",
)


def start(module: str, *arguments: str, stdin: IO[bytes] | int) -> subprocess.Popen[bytes]:
    """Start `module` on `stdin`; what it writes comes by `stdout`."""
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return subprocess.Popen(  # noqa: S603  our own modules
        [sys.executable, "-P", "-W", "ignore", "-m", module, *arguments],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**environment, "MALLOC_ARENA_MAX": "1", "OPENBLAS_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"},
    )


def limit(cpu_s: int = MAX_CPU_S) -> None:
    """Set the limits of this process. Not every system knows the one on memory."""
    for kind, most in ((resource.RLIMIT_AS, MAX_MEMORY_BYTES), (resource.RLIMIT_CPU, cpu_s)):
        try:
            resource.setrlimit(kind, (most, most))
        except (ValueError, OSError):
            continue


def end(process: subprocess.Popen[Any]) -> int:
    """Kill a process, if it still runs, and wait for it; returns its exit code."""
    if process.poll() is None:
        process.kill()
    if process.stdout is not None:
        process.stdout.close()
    return process.wait()
