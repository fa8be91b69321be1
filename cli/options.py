"""Options that several commands share: where the service is, and how strictly it judges."""

import json
from collections.abc import Callable, Mapping
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
    """How strictly to judge (`--strictness`, `--threshold`), and what to say of the words at fault (`--explain` …)."""
    for option in reversed(_JUDGING):
        command = option(command)
    return command


_JUDGING = (
    click.option("--policy", help="The rules of a board, by name (kobert policy)."),
    click.option("--strictness", type=click.Choice(STRICTNESS), help="How readily a text is flagged."),
    click.option(
        "--threshold",
        "thresholds",
        multiple=True,
        type=Threshold(),
        help="The score from which a label counts: curse=0.6. May be given several times.",
    ),
    click.option("--explain", is_flag=True, help="Say which words made the labels count."),
    click.option("--mask", is_flag=True, help="Give the text with these words hidden."),
    click.option("--mask-char", help="What a hidden character becomes; * when you say nothing."),
    click.option("--mask-keep-first", is_flag=True, help="Leave the first letter of each hidden word."),
    click.option(
        "--mask-label",
        "mask_labels",
        multiple=True,
        help="Hide the words of this label alone. May be given several times.",
    ),
)


def judging_fields(options: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a request for what was said with `judging_options`; none where nothing was said."""
    fields: dict[str, Any] = {
        "policy": options["policy"],
        "strictness": options["strictness"],
        "thresholds": dict(options["thresholds"]),
        "explain": options["explain"],
        "mask": options["mask"],
        "mask_char": options["mask_char"],
        "mask_keep_first": options["mask_keep_first"],
        "mask_labels": list(options["mask_labels"]),
    }
    return {name: value for name, value in fields.items() if value or (name == "mask_char" and value is not None)}


def judging_query(options: Mapping[str, Any]) -> dict[str, str]:
    """The same for a query, where an object is written as JSON and an array with commas."""
    return {name: _in_query(value) for name, value in judging_fields(options).items()}


def _in_query(value: object) -> str:
    if isinstance(value, list):
        return ",".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
