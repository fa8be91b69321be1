"""Runs work in a separate Python process, so that its memory and its libraries never reach the worker.

The request goes to the process as JSON on stdin; progress, and at the end a result or an error, come back as JSON lines
on stdout. `answer_request` runs inside that process.
"""

import signal
import subprocess
import sys
from collections.abc import Callable
from typing import TypeVar

import msgspec

from shared.errors import (
    BundleInvalidError,
    HubUnreachableError,
    KobertError,
    ModelNotFoundError,
    ModelSourceError,
    StartupError,
)

_ERRORS: dict[str, type[KobertError]] = {
    error.code: error
    for error in (BundleInvalidError, HubUnreachableError, ModelNotFoundError, ModelSourceError, StartupError)
}
_EXIT_FAILED = 1
_EXIT_ABANDONED = 130

Request = TypeVar("Request", bound=msgspec.Struct)


class Progress(msgspec.Struct, frozen=True, tag="progress"):
    """What the process is doing; `fraction` is the part done, from 0 to 1."""

    message: str
    fraction: float


class Notice(msgspec.Struct, frozen=True, tag="notice"):
    """A warning for the user; the work goes on."""

    message: str


class Done(msgspec.Struct, frozen=True, tag="done"):
    """The work succeeded, with its `result`."""

    result: dict[str, str]


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The work failed with an error of `shared.errors`."""

    code: str
    message: str


Report = Progress | Notice | Done | Failed
OnReport = Callable[[Progress | Notice], None]

_decoder = msgspec.json.Decoder(Report)


def run_process(module: str, request: msgspec.Struct, on_report: OnReport, *, work: str) -> dict[str, str]:
    """Run `python -m module` on `request` to its end, passing on what it reports; returns its result.

    `work` names it in errors, such as "the download of owner/name".

    Raises:
        KobertError: the error that the process ended with, or that it was killed.
    """
    # The process shares our stderr, so that its traceback reaches the log.
    command = [sys.executable, "-P", "-m", module]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603  our own
        if process.stdin is None or process.stdout is None:
            raise StartupError(f"{work} could not be started")
        process.stdin.write(msgspec.json.encode(request))
        process.stdin.close()
        for line in process.stdout:
            report = _decoder.decode(line)
            if isinstance(report, Done):
                return report.result
            if isinstance(report, Failed):
                raise _ERRORS.get(report.code, ModelSourceError)(report.message)
            on_report(report)
    raise StartupError(_death(work, process.returncode))


def _death(work: str, returncode: int) -> str:
    if returncode == -signal.SIGKILL:
        return f"{work} was killed, most likely because memory ran out"
    return f"{work} failed with exit code {returncode}; see its output above"


def answer_request(kind: type[Request], work: Callable[[Request, OnReport], dict[str, str]]) -> int:
    """Read the request from stdin, do the work and report on stdout; returns the exit code."""
    output = sys.stdout.buffer
    # Send what a library prints to stderr, away from the reports.
    sys.stdout = sys.stderr

    def report(what: Report) -> None:
        try:
            output.write(msgspec.json.encode(what) + b"\n")
            output.flush()
        except BrokenPipeError:
            sys.exit(_EXIT_ABANDONED)  # the parent process has gone

    try:
        result = work(msgspec.json.decode(sys.stdin.buffer.read(), type=kind), report)
    except KeyboardInterrupt:
        return _EXIT_ABANDONED
    except KobertError as error:
        report(Failed(error.code, error.message))
        return _EXIT_FAILED
    report(Done(result))
    return 0
