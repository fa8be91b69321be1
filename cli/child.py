"""One child process: started, restarted when it dies, and ended."""

import asyncio
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

import click

from cli.early import EarlyProcess, end_with_parent
from shared.errors import EXIT_CONFIG, StartupError, UnfitSettingError
from shared.inherited import naming

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0
# A child that lived this long starts again without delay.
SETTLED_S = 10.0


class Child:
    """Keeps one command running. `name` is what the user reads."""

    def __init__(
        self,
        name: str,
        command: Callable[[], list[str]],
        environment: Mapping[str, str],
        explain_exit: Callable[[int], str | None] = lambda _: None,
        umask: int = -1,
    ) -> None:
        """`explain_exit` says of an exit code why starting again would not help, if it would not; `umask` -1: ours."""
        self.name = name
        self._explain_exit = explain_exit
        self._umask = umask
        self._command = command
        # Sockets that it takes connections from. They are open here, so that those wait while it is started again.
        self.listeners: Sequence[socket.socket] = ()
        self._environment = dict(environment)
        # Called with the id of a process that has ended and will be started again.
        self.on_death: Callable[[int], Awaitable[None]] | None = None
        # Its first process, where that has been made.
        self.early: EarlyProcess | None = None
        self._process: asyncio.subprocess.Process | EarlyProcess | None = None
        self._stopping = False

    async def keep_running(self) -> None:
        """Start the command again whenever it ends, with growing pauses while it dies young.

        Raises:
            UnfitSettingError: the child said that a setting is wrong.
            StartupError: what `explain_exit` said.
        """
        delay_s = FIRST_DELAY_S
        while not self._stopping:
            started = time.monotonic()
            code = await self._run_once()
            if self._stopping:
                return
            if code == EXIT_CONFIG:
                raise UnfitSettingError(f"{self.name} cannot run; its own message above says why")
            reason = self._explain_exit(code)
            if reason is not None:
                raise StartupError(reason)
            if self.on_death is not None and self._process is not None:
                await self.on_death(self._process.pid)
            delay_s = FIRST_DELAY_S if time.monotonic() - started > SETTLED_S else min(delay_s * 2, LONGEST_DELAY_S)
            click.echo(f"  {self.name} {_describe_exit(code)}; starting it again in {delay_s:.1f} s", err=True)
            await asyncio.sleep(delay_s)

    async def stop(self, timeout_s: float) -> None:
        """SIGTERM, and SIGKILL if it is still there after `timeout_s`."""
        self._stopping = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(_end_of(process), timeout_s)
        except TimeoutError:
            click.echo(f"  {self.name} did not stop within {timeout_s:.0f} s; killing it", err=True)
            process.kill()
            await _end_of(process)

    async def _run_once(self) -> int:
        early, self.early = self.early, None
        if early is not None:
            early.begin(self._environment, self._descriptors())
        self._process = process = early or await self._start()
        return await _end_of(process)

    async def _start(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *self._command(),
            env={**self._environment, **naming(self._descriptors())},
            pass_fds=self._descriptors(),
            stdin=asyncio.subprocess.DEVNULL,
            # Ctrl-C in a terminal reaches the whole foreground group; the order of stopping is ours to choose.
            start_new_session=True,
            umask=self._umask,
            preexec_fn=end_with_parent(),
        )

    def _descriptors(self) -> list[int]:
        return [listener.fileno() for listener in self.listeners]


async def _end_of(process: asyncio.subprocess.Process | EarlyProcess) -> int:
    """The exit code of a process once it has ended."""
    if isinstance(process, EarlyProcess):
        return await asyncio.to_thread(process.wait)
    return await process.wait()


def python_module(name: str) -> list[str]:
    """The command line that runs one of our modules; -P keeps the working directory off its import path."""
    return [sys.executable, "-P", "-m", name]


def _describe_exit(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
