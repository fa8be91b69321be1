"""Follows a job to its end on the terminal. The job does not depend on it: whoever stops watching is told so."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import click

from cli.client import ServiceClient
from shared.commands import kobert_command
from shared.errors import ServiceRefusedError, UnavailableError

POLL_S = 2
ENDED = ("completed", "failed", "expired", "cancelled")
# A service that is being started again is back within this time.
PATIENCE_S = 60
EXIT_INTERRUPTED = 130
_FIRST_SERVER_ERROR = 500


def job_path(job_id: str, *rest: str) -> str:
    """The path of a job or of a part of it, whatever the user typed as its id."""
    return "/".join(["/jobs", quote(job_id, safe="", errors="replace"), *rest])


def watch(client: ServiceClient, job: Any) -> Any:  # noqa: ANN401  JSON
    """Show progress until the job has ended; returns it as it is then.

    Raises:
        UnavailableError: the service did not answer for a minute.
        SystemExit: Ctrl-C.
    """
    with (
        interruption_told(_how_to_come_back(job["id"])),
        click.progressbar(length=job["request_counts"]["total"], label="classifying", file=sys.stderr) as bar,
    ):
        while True:
            bar.update(done_rows(job) - bar.pos)
            if job["status"] in ENDED:
                return job
            job = _poll(client, job["id"])


@contextmanager
def interruption_told(advice: str) -> Iterator[None]:
    """Make Ctrl-C end the command with `advice`, which says what becomes of the work."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo(f"\n{advice}", err=True)
        raise SystemExit(EXIT_INTERRUPTED) from None


def done_rows(job: Any) -> int:  # noqa: ANN401  JSON
    """Rows that have a verdict or an error."""
    counts = job["request_counts"]
    return int(counts["completed"] + counts["failed"])


def _poll(client: ServiceClient, job_id: str) -> Any:  # noqa: ANN401  JSON
    give_up_at = time.monotonic() + PATIENCE_S
    while True:
        try:
            return client.get(job_path(job_id), wait=POLL_S)
        except (UnavailableError, ServiceRefusedError) as error:
            is_passing = isinstance(error, UnavailableError) or error.status >= _FIRST_SERVER_ERROR
            if not is_passing:
                raise
            if time.monotonic() > give_up_at:
                raise UnavailableError(f"{error.message}\n{_how_to_come_back(job_id)}") from error
        time.sleep(POLL_S)


def _how_to_come_back(job_id: str) -> str:
    return (
        f"The job runs on. Watch it again: {kobert_command('jobs', 'watch', job_id)}\n"
        f"Stop it for good: {kobert_command('jobs', 'cancel', job_id)}"
    )
