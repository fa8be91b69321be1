"""`kobert jobs`: send a file to a running service, watch it, and fetch the verdicts."""

import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from cli.client import ServiceClient
from cli.options import ResultFileName, judging_options, judging_query, service_options
from cli.outputs import RESULT_FORMATS, STDOUT, ResultFile
from cli.service_group import ServiceGroup
from cli.tables import fit, table
from cli.uploads import STDIN, open_upload
from cli.watching import done_rows, interruption_told, job_path, watch
from shared.commands import kobert_command
from shared.errors import KobertError

COMPLETED = "completed"
EXIT_NOT_COMPLETED = 1
_FILE_CELLS = 32
_NO_NAME = "-"


@click.group(cls=ServiceGroup)
@service_options
def jobs(**_address: str | None) -> None:
    """Classify files with a running service."""


@jobs.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--text-column", help="Name or number of the column that holds the text, when it is not plain.")
@click.option("--id-column", help="Name or number of the column that holds your ids.")
@click.option("--format", help="csv, tsv, jsonl, txt, parquet or xlsx, when the file's name does not tell.")
@click.option("--encoding", help="utf-8, cp949, …; it is found out when you say nothing.")
@click.option("--sheet", help="Name or number of the sheet of an xlsx file; the first one when you say nothing.")
@click.option("--header-row", type=int, help="Line with the names of the columns, where others are above it.")
@click.option("--no-header", is_flag=True, help="The first line of the table is a row.")
@judging_options
@click.option("--output", "-o", type=ResultFileName(), help="Wait for the end and write the results here: "
              ".csv, .tsv, .jsonl (each also with .gz), .xlsx or .parquet.")  # fmt: skip
@click.option("--safe", is_flag=True, help="Defuse what a spreadsheet would run as a formula (csv, tsv, xlsx).")
@click.option("--detach", is_flag=True, help="Do not wait for the end.")
@click.pass_obj
def submit(client: ServiceClient, /, file: Path, **options: Any) -> None:  # noqa: ANN401  click gives each option its own type
    """Send FILE (- for standard input), and show its progress until the end. Ctrl-C stops watching, not the job."""
    output: ResultFile | None = options["output"]
    _check_submission(file, output, options)
    job = _send(client, file, options)
    click.echo(job["id"])
    if options["detach"]:
        return
    ended = watch(client, job)
    click.echo(summary(ended), err=True)
    if output is not None:
        _fetch(client, ended, output, safe="true" if options["safe"] else None)
    else:
        click.echo(f"Fetch the results: {_results_command(ended['id'])}", err=True)
    if ended["status"] != COMPLETED:
        sys.exit(EXIT_NOT_COMPLETED)


@jobs.command("watch")
@click.argument("job_id")
@click.option("--output", "-o", type=ResultFileName(), help="Write the results here at the end.")
@click.option("--safe", is_flag=True, help="Defuse what a spreadsheet would run as a formula (csv, tsv, xlsx).")
@click.pass_obj
def watch_job(client: ServiceClient, job_id: str, output: ResultFile | None, *, safe: bool) -> None:
    """Show the progress of a job until its end. Ctrl-C stops watching, not the job."""
    if output is not None:
        output.require_writable()
    ended = watch(client, client.get(job_path(job_id)))
    click.echo(summary(ended))
    if output is not None:
        _fetch(client, ended, output, safe="true" if safe else None)
    if ended["status"] != COMPLETED:
        sys.exit(EXIT_NOT_COMPLETED)


@jobs.command()
@click.argument("job_id")
@click.option("--watch", "is_watched", is_flag=True, help="Show its progress until the end.")
@click.pass_obj
def status(client: ServiceClient, job_id: str, *, is_watched: bool) -> None:
    """How a job stands."""
    job = client.get(job_path(job_id))
    click.echo(summary(watch(client, job) if is_watched else job))


@jobs.command()
@click.argument("job_id")
@click.option("--output", "-o", type=ResultFileName(), default=STDOUT,
              help="File to write, its format by its ending; without it, standard output.")  # fmt: skip
@click.option("--format", "file_format", type=click.Choice(RESULT_FORMATS), help="As the file came, by default.")
@click.option("--errors", is_flag=True, help="Only the rows without a verdict.")
@click.option("--partial", is_flag=True, help="What is done of a job that still runs.")
@click.option("--safe", is_flag=True, help="Defuse what a spreadsheet would run as a formula (csv, tsv, xlsx).")
@click.pass_obj
def results(client: ServiceClient, /, job_id: str, **options: Any) -> None:  # noqa: ANN401  click gives each option its own type
    """Fetch the results of a job."""
    output = options["output"].with_format(options["file_format"])
    output.require_writable()
    query = {
        "only": "errors" if options["errors"] else None,
        "partial": "true" if options["partial"] else None,
        "safe": "true" if options["safe"] else None,
    }
    job = client.get(job_path(job_id))
    _fetch(client, job, output, **query)


@jobs.command()
@click.argument("job_id")
@click.pass_obj
def cancel(client: ServiceClient, job_id: str) -> None:
    """Stop a job and keep what is done."""
    click.echo(summary(client.post(job_path(job_id, "cancel"))))


@jobs.command()
@click.argument("job_id")
@click.pass_obj
def delete(client: ServiceClient, job_id: str) -> None:
    """Delete a job and its results for good."""
    client.delete(job_path(job_id))
    click.echo(f"{job_id} deleted")


@jobs.command("list")
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True)
@click.pass_obj
def list_jobs(client: ServiceClient, limit: int) -> None:
    """Your jobs, newest first."""
    found = client.get("/jobs", limit=limit)["data"]
    header = ("ID", "STATUS", "CREATED", "ROWS", "DONE", "FILE")
    for line in table(header, [_listed(job) for job in found], right=frozenset({3, 4})):
        click.echo(line)


def _check_submission(file: Path, output: ResultFile | None, options: dict[str, Any]) -> None:
    """Find what cannot work before the first byte is sent."""
    if str(file) == STDIN and not options["format"]:
        raise click.UsageError("Standard input has no name: say with --format what it is (csv, tsv, jsonl, txt, …).")
    if output is None:
        return
    if options["detach"]:
        raise click.UsageError("--detach does not wait for results, and -o wants them: leave one away.")
    output.require_writable(source=file)


def _send(client: ServiceClient, file: Path, options: dict[str, Any]) -> Any:  # noqa: ANN401  JSON
    advice = f"Sending was stopped. Had the file arrived whole, {kobert_command('jobs', 'list')} shows its job."
    with interruption_told(advice), open_upload(file) as upload:
        query = {
            "file_name": upload.name,
            "text_column": options["text_column"],
            "id_column": options["id_column"],
            "format": options["format"],
            "encoding": options["encoding"],
            "sheet": options["sheet"],
            "header_row": options["header_row"],
            "header": "false" if options["no_header"] else None,
            **judging_query(options),
        }
        return client.upload("/jobs", upload, query)


def _fetch(client: ServiceClient, job: Any, output: ResultFile, **query: str | None) -> None:  # noqa: ANN401  JSON
    """Write the results; whatever stops that says how to fetch them again."""
    again = f"Fetch the results: {_results_command(job['id'])}"
    with interruption_told(f"Fetching was stopped. {again}"):
        pieces = client.download(job_path(job["id"], "results"), format=output.format, **query)
        try:
            output.write(pieces)
        except KobertError as error:
            raise KobertError(f"{error.message}\n{again}") from error
    if output.path is not None:
        click.echo(f"{click.format_filename(output.path)}: {summary(job)}", err=True)


def _results_command(job_id: str) -> str:
    return f"{kobert_command('jobs', 'results', job_id)} -o FILE"


def _listed(job: Any) -> tuple[str, ...]:  # noqa: ANN401  JSON
    total = job["request_counts"]["total"]
    done = f"{done_rows(job) / total:.0%}" if total else "0%"
    created = datetime.fromtimestamp(job["created_at"]).astimezone().strftime("%Y-%m-%d %H:%M")
    name = fit(job["file_name"] or _NO_NAME, _FILE_CELLS)
    return job["id"], job["status"], created, f"{total:,}", done, name


def summary(job: Any) -> str:  # noqa: ANN401  JSON
    """A job in one line."""
    counts = job["request_counts"]
    labels = ", ".join(f"{label} {count:,}" for label, count in job["label_counts"].items())
    parts = [job["id"], job["status"], f"{done_rows(job):,} of {counts['total']:,} rows"]
    if counts["failed"]:
        parts.append(f"{counts['failed']:,} without a verdict")
    if job["status"] == "in_progress" and job["eta_seconds"] is not None:
        parts.append(f"about {job['eta_seconds']:,} s to go")
    return "  ".join([*parts, labels]).rstrip()
