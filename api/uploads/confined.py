"""Runs what reads or writes binary tables in a process of its own, with limits on memory and processor time.

A few bytes of xlsx or parquet can unpack to gigabytes, and their libraries hold Python's lock for seconds. In a process
of its own neither reaches the service: it ends by its limit, and `/predict` goes on.
"""

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Any

# Address space.
MAX_MEMORY_BYTES = 384 << 20
MAX_CPU_S = 300


def start(module: str, *arguments: str, stdin: IO[bytes] | int) -> subprocess.Popen[bytes]:
    """Start `module` on `stdin`; what it writes comes by `stdout`."""
    # Nothing of this process's environment, which has keys and addresses.
    environment = {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if Path(path).is_absolute()),
        "TMPDIR": tempfile.gettempdir(),
        "LANG": "C.UTF-8",
        "MALLOC_ARENA_MAX": "1",
        "RAYON_NUM_THREADS": "1",
    }
    return subprocess.Popen(  # noqa: S603  our own modules
        [sys.executable, "-P", "-W", "ignore", "-m", module, *arguments],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
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
