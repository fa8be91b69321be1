"""Runs work in a Python process of its own, so that its memory and its libraries never reach the worker.

The request goes to the process as JSON on stdin; progress, and at the end a result or an error, come back as JSON lines
on stdout. `answer_request` is the other side of it, inside the process.
"""

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
    """What a process is doing; `fraction` is of the whole, between 0 and 1."""

    message: str
    fraction: float


class Notice(msgspec.Struct, frozen=True, tag="notice"):
    """Something that the user should know and that does not stop the work."""

    message: str


class Done(msgspec.Struct, frozen=True, tag="done"):
    """The end; `result` is for whoever asked."""

    result: dict[str, str]


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The end, with the error of `shared.errors` that it was."""

    code: str
    message: str


Report = Progress | Notice | Done | Failed
OnReport = Callable[[Progress | Notice], None]

_decoder = msgspec.json.Decoder(Report)


def run_process(module: str, request: msgspec.Struct, on_report: OnReport) -> dict[str, str]:
    """Run `python -m module` on `request` to its end, passing on what it reports; returns its result.

    Raises:
        KobertError: the error that the process ended with, or that it was killed.
    """
    # stderr stays ours: a traceback of the process is the developer's, and belongs in the log.
    command = [sys.executable, "-P", "-m", module]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603  our own
        if process.stdin is None or process.stdout is None:
            raise StartupError(f"{module} could not be started")
        process.stdin.write(msgspec.json.encode(request))
        process.stdin.close()
        for line in process.stdout:
            report = _decoder.decode(line)
            if isinstance(report, Done):
                return report.result
            if isinstance(report, Failed):
                raise _ERRORS.get(report.code, ModelSourceError)(report.message)
            on_report(report)
    raise StartupError(_death(module, process.returncode))


def _death(module: str, returncode: int) -> str:
    if returncode == -9:
        return "the conversion was killed, most likely for want of memory: it needs up to 1.5 GB"
    return f"{module} ended with exit code {returncode}; its last words are above"


def answer_request(kind: type[Request], work: Callable[[Request, OnReport], dict[str, str]]) -> int:
    """Inside the process: read the request, do the work, report; returns the exit code."""
    output = sys.stdout.buffer
    # What a library prints must not get between the reports.
    sys.stdout = sys.stderr

    def report(what: Report) -> None:
        try:
            output.write(msgspec.json.encode(what) + b"\n")
            output.flush()
        except BrokenPipeError:
            sys.exit(_EXIT_ABANDONED)  # whoever asked has gone

    try:
        result = work(msgspec.json.decode(sys.stdin.buffer.read(), type=kind), report)
    except KeyboardInterrupt:
        return _EXIT_ABANDONED
    except KobertError as error:
        report(Failed(error.code, error.message))
        return _EXIT_FAILED
    report(Done(result))
    return 0
