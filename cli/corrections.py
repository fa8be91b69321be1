"""`kobert corrections`: put answers of a running service right, one by one or from a file of verdicts sent back."""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from cli.client import ServiceClient
from cli.corrected import Columns, CorrectedRow, read_corrected
from cli.options import ResultFileName, service_options
from cli.outputs import STDOUT, ResultFile
from cli.service_group import ServiceGroup
from cli.tables import fit, table
from cli.texts import ReadingOptions
from cli.wording import in_cli_words
from shared.errors import KobertError, ServiceRefusedError

EXIT_SOME_FAILED = 3
BATCH = 100
SHOWN_FAULTS = 20
EXPORT_FORMATS = ("jsonl", "csv")
_TOO_LARGE = 413
_TEXT_CELLS = 48
# What an error calls one of several corrections; the line of the file tells more.
_ITEM = re.compile(r"corrections\[\d+\]\.?")


@click.group(cls=ServiceGroup)
@service_options
def corrections(**_address: str | None) -> None:
    """Put answers of a running service right; they hold until they are withdrawn."""


@corrections.command()
@click.argument("text")
@click.option("--as", "classification", required=True, help="What it should have been: a label of the model, or clean.")
@click.option("--policy", help="Only under this policy.")
@click.option("--note", help="Why, for those who read the list.")
@click.pass_obj
def add(client: ServiceClient, text: str, classification: str, policy: str | None, note: str | None) -> None:
    """Answer TEXT so from now on, in its disguises too."""
    made = client.post("/corrections", _content(text, classification, policy, note))
    click.echo(f"{made['id']}  {made['classification']}")


@corrections.command("list")
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True)
@click.option("--after", help="The last id of the page before.")
@click.pass_obj
def list_corrections(client: ServiceClient, limit: int, after: str | None) -> None:
    """Corrections, the last changed first."""
    page = client.get("/corrections", limit=limit, after=after)
    header = ("ID", "CLASSIFICATION", "POLICY", "CREATED", "TEXT", "NOTE")
    for line in table(header, [_listed(one) for one in page["data"]]):
        click.echo(line)
    if page["has_more"]:
        click.echo(f"more: --after {page['last_id']}", err=True)


@corrections.command()
@click.option("--output", "-o", type=ResultFileName(), default=STDOUT,
              help=".csv or .jsonl, each also with .gz; without it, standard output.")  # fmt: skip
@click.option("--format", "file_format", type=click.Choice(EXPORT_FORMATS), help="jsonl, by default.")
@click.option("--safe", is_flag=True, help="Defuse what a spreadsheet would run as a formula (csv).")
@click.pass_obj
def export(client: ServiceClient, output: ResultFile, file_format: str | None, *, safe: bool) -> None:
    """Write all corrections, the last changed last."""
    output = output.with_format(file_format)
    if output.format not in {None, *EXPORT_FORMATS}:
        raise KobertError("corrections are exported as .csv or .jsonl; name the file so")
    output.require_writable()
    pieces = client.download("/corrections", format=output.format or "jsonl", safe="true" if safe else None)
    output.write(pieces)


@corrections.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--column", default="should_be", show_default=True,
              help="Name or number of the column that says what a text should have been.")  # fmt: skip
@click.option("--text-column", help="Name or number of the column that holds the text, when it is not plain.")
@click.option("--policy", help="Only under this policy.")
@click.option("--policy-column", help="Name or number of a column with the policy of each.")
@click.option("--note", help="Why, the same for all.")
@click.option("--note-column", help="Name or number of a column with a note to each.")
@click.option("--format", "file_format", help="csv, tsv, jsonl, parquet or xlsx, when the file's name does not tell.")
@click.option("--encoding", help="utf-8, cp949, …; it is found out when you say nothing.")
@click.option("--sheet", help="Name or number of the sheet of an xlsx file; the first one when you say nothing.")
@click.option("--header-row", type=int, help="Line with the names of the columns, where others are above it.")
@click.pass_obj
def import_corrections(client: ServiceClient, /, file: Path, **options: Any) -> None:  # noqa: ANN401  click gives each option its own type
    """Take the corrections in FILE, the results of a job for example, to which a column was added.

    Rows with an empty cell there, or with the classification that they have, are left as they are. Exit code 3: some
    were refused, each named by its line.
    """
    reading = ReadingOptions.taken(options)
    columns = Columns(options["column"], options["policy_column"], options["note_column"])
    report = _Report()
    wanted = report.wanted(read_corrected(file, reading, columns))
    while rows := list(islice(wanted, BATCH)):
        contents = [_content(row.text, row.said, row.policy or options["policy"], row.note or options["note"])
                    for row in rows]  # fmt: skip
        report.add(rows, _send(client, contents))
    report.show()
    if report.refused:
        sys.exit(EXIT_SOME_FAILED)


@corrections.command()
@click.argument("correction_id")
@click.pass_obj
def delete(client: ServiceClient, correction_id: str) -> None:
    """Withdraw a correction: the model answers its text again."""
    client.delete(f"/corrections/{quote(correction_id, safe='')}")
    click.echo(f"{correction_id} withdrawn")


def fetch_corrections(client: ServiceClient) -> Iterator[bytes]:
    """All of them, as jsonl."""
    return client.download("/corrections", format="jsonl")


class _Report:
    """Counts what became of the rows, and keeps the first that were refused."""

    def __init__(self) -> None:
        self.rows = self.taken = self.refused = 0
        self._faults: list[str] = []

    def wanted(self, rows: Iterable[CorrectedRow]) -> Iterator[CorrectedRow]:
        """The rows that are corrections."""
        for row in rows:
            self.rows += 1
            if row.fault:
                self._refuse(row, row.fault)
            elif row.is_correction:
                yield row

    def add(self, rows: Sequence[CorrectedRow], results: Sequence[Any]) -> None:
        """What the service said of each."""
        for row, result in zip(rows, results, strict=True):
            if "error" in result:
                self._refuse(row, _ITEM.sub("", str(result["error"]["message"])))
            else:
                self.taken += 1

    def show(self) -> None:
        """One line, after those that were refused."""
        for fault in self._faults:
            click.echo(fault, err=True)
        if self.refused > len(self._faults):
            click.echo(f"and {self.refused - len(self._faults):,} more", err=True)
        left = self.rows - self.taken - self.refused
        refused = f", {self.refused:,} refused" if self.refused else ""
        click.echo(f"{self.taken:,} corrections taken{refused}, {left:,} rows left as they are")

    def _refuse(self, row: CorrectedRow, message: str) -> None:
        self.refused += 1
        if len(self._faults) < SHOWN_FAULTS:
            message = in_cli_words(message).removeprefix(f"line {row.line}: ")
            self._faults.append(f"line {row.line}: {message}")


def _content(text: str, classification: str, policy: str | None, note: str | None) -> dict[str, Any]:
    fields = {"text": text, "classification": classification, "policy": policy or None, "note": note or None}
    return {name: value for name, value in fields.items() if value is not None}


def _send(client: ServiceClient, contents: Sequence[dict[str, Any]]) -> list[Any]:
    """One result for each; in halves where the service refuses them together."""
    try:
        return list(client.post("/corrections", {"corrections": contents})["results"])
    except ServiceRefusedError as error:
        # Where none can be taken, the request is refused as a whole, with the first one's reason.
        if error.status != _TOO_LARGE and not error.param.startswith("corrections["):
            raise
        if len(contents) > 1:
            middle = len(contents) // 2
            return [*_send(client, contents[:middle]), *_send(client, contents[middle:])]
        return [{"error": {"message": error.message, "param": error.param}}]


def _listed(one: Any) -> tuple[str, ...]:  # noqa: ANN401  JSON
    created = datetime.fromtimestamp(one["created_at"]).astimezone().strftime("%Y-%m-%d %H:%M")
    text, note = (fit(" ".join(one[name].split()), _TEXT_CELLS) for name in ("text", "note"))
    return one["id"], one["classification"], one["policy"] or "-", created, text, note
