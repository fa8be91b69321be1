"""`kobert jobs`: send a file to a running service, watch it, and fetch the verdicts."""

import sys
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import IO, Any

import click

from cli.client import ServiceClient
from shared.errors import KobertError
from shared.options import LEVELS

DEFAULT_URL = "http://127.0.0.1:8000"
POLL_S = 2
ENDED = ("completed", "failed", "expired", "cancelled")
FORMATS = ("jsonl", "csv", "tsv", "parquet")


@click.group()
@click.option("--url", envvar="KOBERT_URL", default=DEFAULT_URL, show_default=True, help="Where the service is.")
@click.option("--key", envvar="KOBERT_API_KEY", help="Your API key, when the service wants one.")
@click.pass_context
def jobs(context: click.Context, url: str, key: str | None) -> None:
    """Classify files with a running service."""
    context.obj = ServiceClient(url, key)


@jobs.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--text-column", help="Name or number of the column that holds the text, when it is not plain.")
@click.option("--id-column", help="Name or number of the column that holds your ids.")
@click.option("--format", "file_format", help="csv, tsv, jsonl, txt or parquet, when the file's name does not tell.")
@click.option("--encoding", help="utf-8, cp949, …; it is found out when you say nothing.")
@click.option("--no-header", is_flag=True, help="The first line of the table is a row.")
@click.option("--strictness", type=click.Choice(LEVELS), help="Which set of thresholds decides.")
@click.option("--thresholds", help="Scores from which labels count: curse=0.4,insult=0.6")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Wait for the end and write the results here.")
@click.option("--detach", is_flag=True, help="Do not wait for the end.")
@click.pass_obj
def submit(client: ServiceClient, /, file: Path, **options: Any) -> None:  # noqa: ANN401  click gives each option its own type
    """Send FILE, and show its progress until the end. Ctrl-C stops watching, not the job."""
    query = {
        "file_name": file.name,
        "text_column": options["text_column"],
        "id_column": options["id_column"],
        "format": options["file_format"],
        "encoding": options["encoding"],
        "header": "false" if options["no_header"] else None,
        "strictness": options["strictness"],
        "thresholds": options["thresholds"],
    }
    job = _send(client, file, query)
    click.echo(job["id"])
    if options["detach"]:
        return
    ended = _watch(client, job)
    click.echo(_summary(ended), err=True)
    if options["output"] is not None:
        _write(client.download(f"/jobs/{ended['id']}/results", format=_format_of(options["output"])), options["output"])
        click.echo(f"written to {options['output']}", err=True)
    else:
        click.echo(f"kobert jobs results {ended['id']} -o FILE", err=True)


@jobs.command()
@click.argument("job_id")
@click.option("--watch", is_flag=True, help="Show its progress until the end.")
@click.pass_obj
def status(client: ServiceClient, job_id: str, *, watch: bool) -> None:
    """How a job stands."""
    job = client.get(f"/jobs/{job_id}")
    click.echo(_summary(_watch(client, job) if watch else job))


@jobs.command()
@click.argument("job_id")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="File to write; without it, standard output.")
@click.option("--format", "file_format", type=click.Choice(FORMATS), help="As the file came, when you say nothing.")
@click.option("--errors", is_flag=True, help="Only the rows without a verdict.")
@click.option("--partial", is_flag=True, help="What is done of a job that still runs.")
@click.pass_obj
def results(client: ServiceClient, /, job_id: str, **options: Any) -> None:  # noqa: ANN401  click gives each option its own type
    """Fetch the results of a job."""
    job = client.get(f"/jobs/{job_id}")
    query = {
        "format": options["file_format"] or (_format_of(options["output"]) if options["output"] else None),
        "only": "errors" if options["errors"] else None,
        "partial": "true" if options["partial"] else None,
    }
    _write(client.download(f"/jobs/{job_id}/results", **query), options["output"])
    if options["output"] is not None:
        click.echo(f"{options['output']}: {_summary(job)}", err=True)


@jobs.command()
@click.argument("job_id")
@click.pass_obj
def cancel(client: ServiceClient, job_id: str) -> None:
    """Stop a job and keep what is done."""
    click.echo(_summary(client.post(f"/jobs/{job_id}/cancel")))


@jobs.command()
@click.argument("job_id")
@click.pass_obj
def delete(client: ServiceClient, job_id: str) -> None:
    """Delete a job and its results for good."""
    client.delete(f"/jobs/{job_id}")
    click.echo(f"{job_id} deleted")


@jobs.command("list")
@click.option("--limit", default=20, show_default=True)
@click.pass_obj
def list_jobs(client: ServiceClient, limit: int) -> None:
    """Your jobs, newest first."""
    for job in client.get("/jobs", limit=limit)["data"]:
        click.echo(_summary(job))


def _send(client: ServiceClient, file: Path, query: dict[str, object]) -> Any:  # noqa: ANN401  JSON
    size_bytes = file.stat().st_size
    with file.open("rb") as source, click.progressbar(length=size_bytes, label="sending", file=sys.stderr) as bar:
        return client.upload("/jobs", _Counted(source, bar), size_bytes, query)  # type: ignore[arg-type]  # all that http.client wants is read()


class _Counted:
    """A file whose reads move a progress bar."""

    def __init__(self, source: IO[bytes], bar: Any) -> None:  # noqa: ANN401  click does not export the type
        self._source = source
        self._bar = bar

    def read(self, size: int = -1) -> bytes:
        """As a file's."""
        piece = self._source.read(size)
        self._bar.update(len(piece))
        return piece


def _watch(client: ServiceClient, job: Any) -> Any:  # noqa: ANN401  JSON
    """Show progress until the job has ended; returns it as it is then."""
    with click.progressbar(length=job["request_counts"]["total"], label="classifying", file=sys.stderr) as bar:
        while job["status"] not in ENDED:
            job = client.get(f"/jobs/{job['id']}", wait=POLL_S)
            bar.update(_done(job) - bar.pos)
    return job


def _done(job: Any) -> int:  # noqa: ANN401  JSON
    counts = job["request_counts"]
    return int(counts["completed"] + counts["failed"])


def _format_of(output: Path) -> str | None:
    suffix = PurePath(output).suffix.removeprefix(".")
    return suffix if suffix in FORMATS else None


def _write(pieces: Iterator[bytes], output: Path | None) -> None:
    """Write to the file, under another name until it is whole; or to standard output."""
    if output is None:
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        return
    unfinished = output.with_name(output.name + ".part")
    try:
        with unfinished.open("wb") as file:
            file.writelines(pieces)
        unfinished.replace(output)
    except OSError as error:
        raise KobertError(f"cannot write {output}: {error.strerror}") from error


def _summary(job: Any) -> str:  # noqa: ANN401  JSON
    counts = job["request_counts"]
    labels = ", ".join(f"{label} {count:,}" for label, count in job["label_counts"].items())
    parts = [job["id"], job["status"], f"{_done(job):,} of {counts['total']:,} rows"]
    if counts["failed"]:
        parts.append(f"{counts['failed']:,} without a verdict")
    if job["status"] == "in_progress" and job["eta_seconds"] is not None:
        parts.append(f"about {job['eta_seconds']:,} s to go")
    return "  ".join([*parts, labels]).rstrip()
