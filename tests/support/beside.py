"""Make targets beside each other: each one's output in one piece when it ends, all of them run, whatever fails.

    python tests/support/beside.py AT_ONCE TARGET...

make's own `--jobs` did this until, a quarter of an hour into a run, it lost sight of a target that it had started
("wait: No child processes") and ended the run. Here each target has a thread that waits for it alone.
"""

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor, as_completed


def output_of(target: str) -> tuple[int, str]:
    """The exit status of `make target`, and what it printed."""
    command = [os.environ.get("MAKE", "make"), "--no-print-directory", target]
    # A file, since a pipe would end only when the last process that a test left behind does.
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        made = subprocess.run(command, check=False, stdout=output, stderr=subprocess.STDOUT)
        output.seek(0)
        return made.returncode, output.read()


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
