"""Runs make targets in parallel. Prints each one's output when it ends, and runs all of them even if one fails.

    python tests/support/beside.py AT_ONCE TARGET...

make's own `--jobs` did this until, a quarter of an hour into a run, it lost sight of a target that it had started
("wait: No child processes") and ended the run. Here each target has a thread that waits for it alone.
"""

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path


def output_of(target: str) -> tuple[int, str]:
    """The exit status of `make target`, and what it printed."""
    # Files: a pipe would end only when the last process that a test left behind does, and a status that the system has
    # lost would count as 0 (CPython's `Popen.wait`).
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output,
        tempfile.TemporaryDirectory() as to,
    ):
        status = Path(to, "status")
        command = 'trap : INT; "${MAKE:-make}" --no-print-directory "$0"; echo $? >"$1"'
        with subprocess.Popen(["sh", "-c", command, target, status], stdout=output, stderr=subprocess.STDOUT) as shell:
            shell.wait()
            while not status.exists() and is_there(shell.pid):
                time.sleep(1)
        output.seek(0)
        return int(status.read_text() if status.exists() else 1), output.read()


def is_there(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def run(at_once: int, targets: list[str]) -> list[str]:
    """Make the targets, `at_once` at a time, begun in their order; returns those that failed."""
    failed = []
    with ThreadPoolExecutor(at_once) as pool:
        running = {pool.submit(output_of, target): target for target in targets}
        try:
            for ended in as_completed(running):
                status, output = ended.result()
                sys.stdout.write(output)
                sys.stdout.flush()
                if status:
                    failed.append(running[ended])
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)  # the terminal has interrupted those that run, too
            raise
    return failed


if __name__ == "__main__":
    failed = run(int(sys.argv[1]), sys.argv[2:])
    sys.exit(f"failed: {' '.join(failed)}" if failed else 0)
