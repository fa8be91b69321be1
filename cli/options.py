"""Options that several commands share: where the service is, and how strictly it judges."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from cli.outputs import ResultFile
from shared.errors import KobertError

DEFAULT_URL = "http://127.0.0.1:8000"
STRICTNESS = ("lenient", "standard", "strict")

Command = Callable[..., Any]


class Threshold(click.ParamType[tuple[str, float]]):
    """`LABEL=VALUE`, the value from 0 to 1."""

    name = "label=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, float]:  # noqa: ANN401  as click calls it
        """The label and its threshold."""
        if isinstance(value, tuple):
            return value
        label, _, number = str(value).rpartition("=")
        try:
            threshold = float(number)
        except ValueError:
            threshold = -1.0
        if not label.strip() or not 0 <= threshold <= 1:
            self.fail(f"{value!r} is no threshold; write a label and a number from 0 to 1: curse=0.6", param, ctx)
        return label.strip(), threshold


class ResultFileName(click.ParamType[ResultFile]):
    """A file to write results to; its ending says the format."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> ResultFile:  # noqa: ANN401  as click calls it
        """The file with the format that its name asks for."""
        if isinstance(value, ResultFile):
            return value
        try:
            return ResultFile.named(Path(value))
        except KobertError as error:
            self.fail(error.message, param, ctx)


def service_options(command: Command) -> Command:
    """`--url` and `--key`."""
    command = click.option("--key", envvar="KOBERT_API_KEY", help="Your API key, when the service wants one.")(command)
    return click.option(
        "--url", envvar="KOBERT_URL", default=DEFAULT_URL, show_default=True, help="Where the service is."
    )(command)


def judging_options(command: Command) -> Command:
    """`--strictness` and `--threshold`."""
    command = click.option(
        "--threshold",
        "thresholds",
        multiple=True,
        type=Threshold(),
        help="The score from which a label counts: curse=0.6. May be given several times.",
    )(command)
    return click.option("--strictness", type=click.Choice(STRICTNESS), help="How readily a text is flagged.")(command)


def judging_fields(strictness: str | None, thresholds: tuple[tuple[str, float], ...]) -> dict[str, Any]:
    """The fields of a request that say how strictly to judge; none where nothing was said."""
    fields: dict[str, Any] = {"strictness": strictness, "thresholds": dict(thresholds) or None}
    return {name: value for name, value in fields.items() if value is not None}


def judging_query(strictness: str | None, thresholds: tuple[tuple[str, float], ...]) -> dict[str, str]:
    """The same for a query, where an object is written as JSON."""
    fields = judging_fields(strictness, thresholds)
    return {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in fields.items()
    }
