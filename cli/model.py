"""`kobert model`: turn a checkpoint into a bundle, look into one, check it, publish it, or train one."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import msgspec

from bundles.format import Bundle, load_bundle
from bundles.hub.repository import HubRepo
from bundles.record import ConversionRecord, read_record
from bundles.sources.resolver import is_bundle, resolve
from cli.labelled import LabelColumns, read_labelled
from cli.outputs import require_new_folder
from cli.progress import TerminalProgress
from cli.texts import ReadingOptions
from cli.train import train
from shared.commands import serving_command
from shared.errors import ConverterMissingError, ModelSourceError, StartupError
from shared.processors import has_exact_int8_products
from shared.settings import Settings, load_settings

_MIB = 1 << 20

# By the optional part that is missing: `make run` installs it then, and only then.
EXIT_CONVERTER_MISSING = {"convert": 3, "convert-any": 4}

Command = Callable[..., None]


@click.group()
def model() -> None:
    """Import, inspect, verify and publish models."""


model.add_command(train)


def conversion_options(command: Command) -> Command:
    """The settings of a conversion as options of a command."""
    options = (
        click.option("--labels", "model_labels", help="Names of the classes by index: clean,curse (MODEL_LABELS)."),
        click.option("--clean-label", help="The label that means that nothing is wrong (CLEAN_LABEL)."),
        click.option("--max-length", type=int, help="Tokens in one window of a text (MAX_LENGTH)."),
        click.option(
            "--legacy-tokenizer",
            type=click.Choice(["kobert", "gluonnlp"]),
            help="How the texts were tokenised when a .pt was trained (LEGACY_TOKENIZER).",
        ),
        click.option(
            "--problem-type",
            "model_problem_type",
            type=click.Choice(["single_label_classification", "multi_label_classification"]),
            help="Whether a text has one label or several, where config.json does not tell (MODEL_PROBLEM_TYPE).",
        ),
        click.option(
            "--vocab-specials",
            type=click.Choice(["kobert", "file"]),
            help="Whose order of special tokens holds where vocab.pkl has another (VOCAB_SPECIALS).",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@model.command("import")
@click.argument("source")
@click.option("--output", type=click.Path(path_type=Path), help="Folder to write the bundle to; default: the cache.")
@click.option(
    "--check",
    "check_on",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A table with a text and a label column: say how float and int8 answer these texts.",
)
@conversion_options
def import_model(source: str, output: Path | None, check_on: Path | None, **options: str | int | None) -> None:
    """Make a bundle of SOURCE: a folder, a .pt file or owner/name[/folder][@revision] on the Hub."""
    if output is not None:
        require_new_folder(output)
    settings = _settings(source, options)
    bundle = _resolve(settings) if check_on is None else _resolve_and_check(settings, check_on)
    if output is not None:
        bundle = _copy(bundle, output)
    _describe(bundle)
    click.echo(f"\nServe it with: {serving_command(bundle.path)}")


@model.command()
@click.argument("source", required=False)
@conversion_options
def inspect(source: str | None, **options: str | int | None) -> None:
    """Show the labels, sizes, revision and int8 drift of SOURCE. Default: MODEL, or the embedded model."""
    _describe(_resolve(_settings(source, options)))


@model.command()
@click.argument("source", required=False)
def verify(source: str | None) -> None:
    """Check every file of a bundle against its manifest. Default: MODEL, or the embedded model."""
    bundle = _resolve(_settings(source, {}))
    click.echo(f"{bundle.config.name} {bundle.revision}: every file is as its manifest says ({bundle.path})")


@model.command()
@click.argument("source", required=False)
def check(source: str | None) -> None:
    """Say whether SOURCE can be served here. Default: MODEL, or the embedded model.

    Exit code 0: it can; 1: it is not there or is broken; 3: it must be converted first, and what converts it is not
    installed; 4: likewise, and it takes transformers.
    """
    try:
        bundle = _resolve(_settings(source, {}))
    except ConverterMissingError as error:
        click.echo(f"kobert: {error.message}", err=True)
        sys.exit(EXIT_CONVERTER_MISSING[error.extra])
    click.echo(f"{bundle.config.name} {bundle.revision} can be served ({bundle.path})")


@model.command()
@click.argument("repo")
@click.option("--from", "source", help="The bundle to publish, or what to make it of; default: MODEL.")
@click.option("--private", is_flag=True, help="Make the repository private if it is new.")
@conversion_options
def push(repo: str, source: str | None, *, private: bool, **options: str | int | None) -> None:
    """Upload a bundle with its card to REPO (owner/name) on the Hub; HF_TOKEN must be able to write there."""
    target = HubRepo.parse(repo)
    if target is None or target.revision is not None or target.inside is not None:
        raise ModelSourceError(f"{repo} is not the name of a repository; write owner/name")
    from bundles.hub.token import require_token  # noqa: PLC0415  no other command needs the Hub's library here

    require_token()  # before minutes of a conversion
    bundle = _resolve(_settings(source, options))
    with TerminalProgress() as progress:
        commit = target.upload(bundle.path, progress, private=private)
    click.echo(f"{bundle.config.name} {bundle.revision} is now {target} at {commit}")
    click.echo(f"Serve it with: {serving_command(f'{target}@{commit}')}")


def _settings(source: str | None, options: dict[str, str | int | None]) -> Settings:
    given = {name: value for name, value in options.items() if value is not None}
    return load_settings(**({"model": source} if source else {}), **given)


def _resolve(settings: Settings) -> Bundle:
    with TerminalProgress() as progress:
        return resolve(settings, progress)


def _resolve_and_check(settings: Settings, table: Path) -> Bundle:
    """The bundle, after a note on how it answers the labelled texts of `table` in float and in int8."""
    pairs = read_labelled(table, ReadingOptions(), LabelColumns()).pairs
    if is_bundle(settings.model):
        raise ModelSourceError("--check compares int8 with the float weights it was made from, and a bundle has none")
    with TerminalProgress() as progress, TemporaryDirectory(prefix="kobert-check-") as folder:
        texts = Path(folder) / "texts.json"
        texts.write_bytes(msgspec.json.encode(pairs))
        return resolve(settings, progress, texts)


def _copy(bundle: Bundle, output: Path) -> Bundle:
    require_new_folder(output)
    try:
        shutil.copytree(bundle.path, output, dirs_exist_ok=True)
    except OSError as error:
        raise StartupError(f"{output} cannot be written: {error.strerror or error}") from error
    return load_bundle(output)


def _describe(bundle: Bundle) -> None:
    config = bundle.config
    rows = {
        "name": config.name,
        "revision": bundle.revision,
        "folder": str(bundle.path),
        "labels": ", ".join(config.labels),
        "clean label": config.clean_label or "none",
        "kind": config.problem_type.replace("_", " "),
        "max length": f"{config.max_length} tokens in one window; longer texts are read in several",
        "size": f"{bundle.graph_bytes / _MIB:.1f} MB",
        **_conversion_rows(read_record(bundle.path)),
    }
    for name, value in rows.items():
        click.echo(f"{name:<12} {value}")


def _conversion_rows(record: ConversionRecord | None) -> dict[str, str]:
    if record is None:
        return {}
    rows = {
        "made from": f"{record.source} at {record.source_revision}",
        "model": record.model,
        "weights": record.weights,
        "tokenizer": record.tokenizer,
        "int8 drift": record.drift.describe(),
    }
    notices = record.notices_here(has_exact_products=has_exact_int8_products())
    return rows | {"note": "; ".join(notices)} if notices else rows
