"""Processes of the service that import their program while the command still looks at its settings.

Half of a start is importing. On a second processor that costs no time, if it begins before anything else is known: such
a process gets its environment, and the word to begin, once all is well (`cli.held`). This module itself imports little,
as the command does nothing before it.
"""

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

# Descriptors travel with a byte, which is JSON's white space.
FIRST_BYTE = b" "
_PR_SET_PDEATHSIG = 1


class EarlyProcess:
    """One of our programs, `module`, held before its first step."""

    def __init__(self, module: str) -> None:
        self._channel, held = socket.socketpair()
        # Ctrl-C in a terminal reaches the whole foreground group; the order of stopping is the command's to choose.
        self._process = subprocess.Popen(  # noqa: S603  our own module
            [sys.executable, "-P", "-m", "cli.held", module],
            stdin=held.fileno(),
            start_new_session=True,
            preexec_fn=end_with_parent(),  # noqa: PLW1509  there are no threads yet
        )
        held.close()
        self._has_begun = False

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit code once it has ended, -N after signal N."""
        return self._process.poll()

    def begin(self, environment: Mapping[str, str], listeners: Sequence[int] = ()) -> None:
        """Let it run with these variables and descriptors. That it has died shows when it is waited for."""
        self._has_begun = True
        with contextlib.suppress(BrokenPipeError, ConnectionResetError), self._channel as channel:
            if listeners:
                socket.send_fds(channel, [FIRST_BYTE], listeners)
            channel.sendall(json.dumps(dict(environment)).encode())

    def wait(self) -> int:
        """Block until it has ended; returns its exit code."""
        return self._process.wait()

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._process.terminate()

    def kill(self) -> None:
        """Send SIGKILL."""
        self._process.kill()

    def discard(self) -> None:
        """End it, unless it has begun."""
        if not self._has_begun:
            self.kill()
            self._channel.close()
            self._process.wait()


@contextmanager
def early_process(module: str) -> Iterator[EarlyProcess]:
    """Context with a process for `module`; if it has not begun at the end, it is ended."""
    process = EarlyProcess(module)
    try:
        yield process
    finally:
        process.discard()


def end_with_parent() -> "partial[None] | None":
    """What a child of this process calls before its program, so that it gets SIGTERM when this process dies."""
    return partial(_end_with, os.getpid()) if sys.platform == "linux" else None


def _end_with(parent_pid: int) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    # It may have died before we asked. In a container the parent itself is process 1.
    if os.getppid() != parent_pid:
        os._exit(1)
