"""`kobert predict`: texts from the command line, a pipe or a file, judged by a running service at once."""

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import click

from cli.client import ServiceClient
from cli.options import judging_fields, judging_options, service_options
from cli.tables import fit, pad, printable, terminal_cells
from cli.texts import Item, ReadingOptions, read_items
from cli.uploads import STDIN
from cli.wording import in_cli_words
from shared.commands import kobert_command
from shared.errors import ServiceRefusedError

EXIT_SOME_FAILED = 3
# Texts of one request: a row of the progress bar, and far below what a service takes.
BATCH_TEXTS = 64
BATCH_CHARS = 100_000
_TOO_LARGE = 413
_BUSY = frozenset({429, 503, 504})
_ATTEMPTS = 8
_LONGEST_PAUSE_S = 30.0
_SCORE_CELLS = 6


class _Printer(Protocol):
    def show(self, results: Sequence[Any]) -> None: ...


@click.command()
@click.argument("texts", nargs=-1)
@click.option("--file", "-f", "file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
              help="Read the texts from a file: txt (a text a line), csv, tsv, jsonl, xlsx.")  # fmt: skip
@click.option("--format", "file_format", help="What the file or pipe is, when its name does not tell; a pipe is txt.")
@click.option("--text-column", help="Name or number of the column that holds the text.")
@click.option("--encoding", help="utf-8, cp949, …; it is found out when you say nothing.")
@click.option("--header-row", type=int, help="Line with the names of the columns, where others are above it.")
@judging_options
@click.option("--output-format", type=click.Choice(("table", "jsonl")),
              help="table on a terminal and jsonl in a pipe, when you say nothing.")  # fmt: skip
@service_options
def predict(texts: tuple[str, ...], url: str, key: str | None, **options: Any) -> None:  # noqa: ANN401  click gives each option its own type
    """Classify TEXTS: arguments, the lines of a pipe (-), or those of --file.

    On a terminal a table, in a pipe one JSON object a text, in order. Exit code 0: every text has a verdict; 1: the
    service does not answer or refuses; 2: the command is wrong; 3: some texts have no verdict, each with its error.
    """
    client = ServiceClient(url, key)
    reading = ReadingOptions.taken(options)
    source = _source(texts, options["file"], reading)
    fields = judging_fields(options)
    is_table = (options["output_format"] or ("table" if sys.stdout.isatty() else "jsonl")) == "table"
    printer: _Printer = _Table(_clean_label(client)) if is_table else _JsonLines()
    failed = 0
    with _Counter(is_shown=sys.stderr.isatty() and not sys.stdout.isatty()) as counter:
        for batch in _batches(source):
            results = _classify(client, batch, fields)
            printer.show(results)
            failed += sum("error" in result for result in results)
            counter.add(len(results))
    if failed:
        sys.exit(EXIT_SOME_FAILED)


def _source(texts: tuple[str, ...], file: Path | None, reading: ReadingOptions) -> Iterable[Item]:
    if file is not None and texts:
        raise click.UsageError("Give texts or --file, not both.")
    if texts not in {(), (STDIN,)}:
        return [Item(f"text {number}", text) for number, text in enumerate(texts, start=1)]
    if file is None and not texts and sys.stdin.isatty():
        example = kobert_command("predict", "이 영화 정말 재미있었어요!")
        raise click.UsageError(f"There is no text. Give one ({example}), a pipe, or --file FILE.")
    return read_items(file or Path(STDIN), reading)


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    batch: list[Item] = []
    chars = 0
    for item in items:
        batch.append(item)
        chars += len(item.text or "")
        if len(batch) >= BATCH_TEXTS or chars >= BATCH_CHARS:
            yield batch
            batch, chars = [], 0
    if batch:
        yield batch


def _classify(client: ServiceClient, batch: Sequence[Item], fields: dict[str, Any]) -> list[Any]:
    """One result an item, in order."""
    sent = [item for item in batch if item.error is None]
    answered = iter(_answers(client, sent, fields) if sent else [])
    return [_failure(item, item.error.message, item.error.code) if item.error else next(answered) for item in batch]


def _answers(client: ServiceClient, items: Sequence[Item], fields: dict[str, Any]) -> list[Any]:
    """What the service answers for each item; in halves where it refuses them together."""
    try:
        results = _patiently(client, {"texts": [item.text for item in items], **fields})["results"]
    except ServiceRefusedError as error:
        # A request of which no text can be classified is refused as a whole, with the first one's reason.
        is_about_a_text = error.param.startswith("texts[")
        if len(items) > 1 and (is_about_a_text or error.status == _TOO_LARGE):
            middle = len(items) // 2
            return [*_answers(client, items[:middle], fields), *_answers(client, items[middle:], fields)]
        if is_about_a_text:
            return [_failure(items[0], error.message.replace(error.param, items[0].name), error.code)]
        raise
    for item, result in zip(items, results, strict=True):
        if "error" in result:
            result["error"] = _named(result["error"], item)
    return list(results)


def _failure(item: Item, message: str, code: str) -> dict[str, Any]:
    error = {"code": code, "message": in_cli_words(message), "param": item.name}
    return {"text": item.text, "error": error}


def _named(error: dict[str, Any], item: Item) -> dict[str, Any]:
    """The error of an item with the name that it has here instead of its number in the request."""
    message = str(error["message"]).replace(str(error.get("param")), item.name)
    return {**error, "message": in_cli_words(message), "param": item.name}


def _patiently(client: ServiceClient, content: dict[str, Any]) -> Any:  # noqa: ANN401  JSON
    """Ask again while the service is busy, as long as it says, and longer each time."""
    for attempt in range(_ATTEMPTS - 1):
        try:
            return client.post("/predict", content)
        except ServiceRefusedError as error:
            if error.status not in _BUSY:
                raise
            time.sleep(min(_LONGEST_PAUSE_S, max(error.retry_after_s or 0, 0.5 * 2**attempt)))
    return client.post("/predict", content)


def _clean_label(client: ServiceClient) -> str | None:
    model = client.get("/info").get("model") or {}
    return model.get("clean_label")


class _Counter:
    """How many texts are done, on a terminal that sees nothing of the results; a context manager that ends its line."""

    def __init__(self, *, is_shown: bool) -> None:
        self._is_shown = is_shown
        self._done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_shown and self._done:
            click.echo(err=True)

    def add(self, count: int) -> None:
        """Count so many more."""
        self._done += count
        if self._is_shown:
            click.echo(f"\r\x1b[K  {self._done:,} texts", err=True, nl=False)


class _JsonLines:
    """One JSON object a text, as the service answers."""

    def show(self, results: Sequence[Any]) -> None:
        """Write them, so that the next program of a pipe has them at once."""
        for result in results:
            line = json.dumps(result, ensure_ascii=False)
            sys.stdout.buffer.write(line.encode("utf-8", "backslashreplace") + b"\n")
        sys.stdout.buffer.flush()


class _Table:
    """A row a text: the verdict in colour, its score, and the text cut to the width of the terminal."""

    def __init__(self, clean_label: str | None) -> None:
        self._clean_label = clean_label
        self._label_cells = 0
        self._color = None if os.environ.get("NO_COLOR") is None else False

    def show(self, results: Sequence[Any]) -> None:
        """Write the rows; a longer verdict widens its column from there on."""
        rows = [self._cells(result) for result in results]
        self._label_cells = max([self._label_cells, *(len(label) for label, _, _, _ in rows)])
        for label, score, text, color in rows:
            room = terminal_cells() - self._label_cells - _SCORE_CELLS - 4
            verdict = click.style(pad(label, self._label_cells), fg=color, bold=True)
            click.echo(f"{verdict}  {score:>{_SCORE_CELLS}}  {fit(text, max(room, 20))}", color=self._color)

    def _cells(self, result: Any) -> tuple[str, str, str, str]:  # noqa: ANN401  JSON
        if "error" in result:
            return "error", "", printable(result["error"]["message"]), "yellow"
        label = str(result["classification"])
        color = "green" if label == self._clean_label else "red" if self._clean_label else "cyan"
        return printable(label), f"{result['confidence']:.3f}", printable(_shown_text(result)), color


def _shown_text(result: Any) -> str:  # noqa: ANN401  JSON
    """The text, hidden as was asked for; before it the words at fault, since the end of a long text is cut."""
    text = str(result.get("masked", result["text"]))
    words = dict.fromkeys(span["text"] for span in result.get("spans", ()))
    return f"[{', '.join(words)}] {text}" if words else text
