"""`kobert model train`: a bundle of the user's own labels, from a table of texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from bundles.files import names_in
from bundles.format import MANIFEST_FILE
from bundles.hub.repository import KOBERT_REPO, HubRepo
from bundles.inside import choose_inside
from cli.client import ServiceClient
from cli.corrections import fetch_corrections
from cli.labelled import LabelColumns, read_labelled
from cli.options import service_options
from cli.outputs import require_new_folder
from cli.progress import TerminalProgress
from cli.texts import ReadingOptions
from cli.wording import in_cli_words
from shared.commands import install_command, serving_command
from shared.errors import KobertError, ModelNotFoundError, StartupError
from shared.settings import Settings, load_settings
from training.corrections import CorrectedText, read_corrections
from training.user_table import FEWEST_SCORED, UserTable, hardly_scored, join_labels, split_rows

if TYPE_CHECKING:
    from training.user_data import UserResult, UserTraining

_NEEDED = ("torch", "transformers", "onnx", "safetensors", "sentencepiece", "tqdm")
_SHOWN_CONFUSIONS = 3
_FEWEST_COLUMNS = 2
_ENCODER_FILES = ("model.safetensors", "config.json")


@dataclass(frozen=True)
class Wanted:
    """What a user said of the labels: their columns, whether a text has several, and the harmless one."""

    columns: LabelColumns
    several: bool
    clean: str | None


@click.command()
@click.argument("table", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--output", required=True, type=click.Path(path_type=Path), help="Folder to write the bundle to.")
@click.option(
    "--base",
    help=f"Encoder to start from: a folder, a bundle, owner/name on the Hub, or kobert ({KOBERT_REPO}). "
    "Default: the embedded model's.",
)
@click.option("--text-column", help="Name or number of the column that holds the text, when it is not plain.")
@click.option("--label-column", help="Name or number of the column that holds the label, when it is not plain.")
@click.option("--label-columns", help="Names of columns that say yes or no, each of the label it is called: 욕설,모욕.")
@click.option("--clean-label", help="The label of harmless text. Default: clean or 정상, if it is there.")
@click.option("--format", "file_format", help="csv, tsv, jsonl, parquet or xlsx, when the file's name does not tell.")
@click.option("--encoding", help="utf-8, cp949, …; it is found out when you say nothing.")
@click.option("--sheet", help="Name or number of the sheet of an xlsx file; the first one when you say nothing.")
@click.option("--header-row", type=int, help="Line with the names of the columns, where others are above it.")
@click.option("--corrections", "wants_corrections", is_flag=True,
              help="Learn the corrections of the running service (--url), too.")  # fmt: skip
@click.option("--corrections-file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Learn corrections that were exported as .jsonl or .csv.")  # fmt: skip
@click.option("--balanced", is_flag=True, help="Let all labels weigh the same, however rare: fewer rare ones missed.")
@click.option("--multi-label", is_flag=True, help="A text has any number of labels: `욕설;모욕`, or none.")
@service_options
@click.option("--epochs", type=click.IntRange(1, 100), default=4, show_default=True, help="At most so many.")
@click.option("--patience", type=click.IntRange(0, 100), default=1, show_default=True,
              help="Epochs without a better dev score before it stops.")  # fmt: skip
@click.option("--max-length", type=click.IntRange(8, 512), default=128, show_default=True, help="Tokens of a text.")
def train(table: Path, output: Path, base: str | None, **options: Any) -> None:  # noqa: ANN401  click gives each option its own type
    """Train on TABLE, a file with a text and a label column, and write a bundle whose card has its dev scores."""
    require_new_folder(output)
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise StartupError(f"training needs {', '.join(missing)}: {install_command('training')}")
    reading = ReadingOptions.taken(options)
    service = ServiceClient(options.pop("url"), options.pop("key"))
    corrections = _corrections(service if options.pop("wants_corrections") else None, options.pop("corrections_file"))
    columns = _label_columns(options.pop("label_column"), options.pop("label_columns"))
    wanted = Wanted(columns, options.pop("multi_label") or bool(columns.several), options["clean_label"])
    rows = _read(table, reading, wanted, corrections)
    user_data = import_module("training.user_data")  # torch, only where it is used
    if rows.clean_name is None:
        user_data.find_clean_label(rows.labels, options["clean_label"])

    with TemporaryDirectory(prefix="kobert-encoder-") as scratch:
        chosen = user_data.UserTraining(base=_base_folder(base, Path(scratch)), **options)
        result = user_data.train(rows, output, chosen)
    _show(result, chosen)


def _label_columns(one: str | None, several: str | None) -> LabelColumns:
    names = tuple(name.strip() for name in (several or "").split(",") if name.strip())
    if one is not None and names:
        raise StartupError("name the labels' columns with --label-column or with --label-columns, not with both")
    if several is not None and len(names) < _FEWEST_COLUMNS:
        raise StartupError("--label-columns needs several names, such as 욕설,모욕; of one column, --label-column")
    return LabelColumns(one, names)


def _corrections(service: ServiceClient | None, file: Path | None) -> list[CorrectedText]:
    """Those of the running service, and those of the file."""
    read = [] if file is None else [read_corrections(file)]
    if service is not None:
        with TemporaryDirectory(prefix="kobert-corrections-") as folder:
            fetched = Path(folder) / "corrections.jsonl"
            fetched.write_bytes(b"".join(fetch_corrections(service)))
            if not fetched.stat().st_size:
                raise KobertError("the service has no corrections to learn from; leave --corrections out, or make some")
            read.append(read_corrections(fetched))
    if of_policies := sum(corrections.of_policies for corrections in read):
        click.echo(f"note: {of_policies:,} corrections hold under one policy alone and are left out", err=True)
    return [one for corrections in read for one in corrections.texts]


def _read(file: Path, reading: ReadingOptions, wanted: Wanted, corrections: Sequence[CorrectedText]) -> UserTable:
    read = read_labelled(file, reading, wanted.columns, may_be_empty=wanted.several)
    if read.left_out:
        click.echo(f"note: {read.left_out:,} rows are left out; the first: {in_cli_words(read.first_fault)}", err=True)
    if corrections:
        click.echo(f"learning {len(corrections):,} corrections beside {len(read.pairs):,} rows", err=True)
    pairs, clean = join_labels(read.pairs, wanted.clean) if wanted.several else (read.pairs, None)
    return split_rows(pairs, click.format_filename(file), corrections, clean)


def _base_folder(base: str | None, scratch: Path) -> Path | None:
    """The folder of the encoder to start from; None for the embedded one."""
    if base is None:
        return None
    folder = Path(base).expanduser()
    if folder.is_dir() and _is_ready(folder):
        return folder
    name = KOBERT_REPO if base == "kobert" else base
    source, inside = (folder, None) if folder.is_dir() else _fetched(name, load_settings())
    encoder = import_module("convert.encoder")  # torch, only where it is used

    encoder.write_encoder(source, choose_inside(names_in(source, inside), inside, name), name, scratch / "encoder")
    return scratch / "encoder"


def _is_ready(folder: Path) -> bool:
    """Whether it is a bundle, or a bare encoder with a tokenizer that the training reads as it is."""
    bare = all((folder / name).is_file() for name in (*_ENCODER_FILES, "sentencepiece.model"))
    return bare or (folder / MANIFEST_FILE).is_file()


def _fetched(name: str, settings: Settings) -> tuple[Path, str | None]:
    """The folder of what was downloaded, and where in it the encoder is."""
    repo = HubRepo.parse(name)
    if repo is None:
        raise ModelNotFoundError(f"--base {name}: there is no such folder, and it is not owner/name on the Hub")
    with TerminalProgress() as progress:
        return repo.fetch(settings.hub_timeout_s, progress, "encoder").folder, repo.inside


def _show(result: "UserResult", chosen: "UserTraining") -> None:
    click.echo(
        f"\n{result.dev_rows} texts were kept apart to score it, after {result.epochs_run} of {chosen.epochs} epochs:"
    )
    click.echo(f"  accuracy {result.accuracy:.3f}, macro F1 {result.macro_f1:.3f}")
    for label, counts in result.by_label.items():
        click.echo(f"  {label:<16} precision {counts.precision:.3f}  recall {counts.recall:.3f}  F1 {counts.f1:.3f}")
    if result.bundle.config.problem_type == "single_label_classification":
        _show_confusions(result)
    else:
        click.echo(f"  thresholds: {', '.join(f'{name} {at}' for name, at in result.bundle.config.thresholds.items())}")
    click.echo(f"\nServe it with: {serving_command(result.bundle.path)}")


def _show_confusions(result: "UserResult") -> None:
    """The pairs that are taken for each other most, and the labels whose scores mean little."""
    labels = result.bundle.config.labels
    wrong = [
        (count, labels[truth], labels[given])
        for truth, counts in enumerate(result.confusions)
        for given, count in enumerate(counts)
        if count and truth != given
    ]
    for count, truth, given in sorted(wrong, reverse=True)[:_SHOWN_CONFUSIONS]:
        click.echo(f"  {count:,} texts with the label {truth} were taken for {given}")
    if few := hardly_scored(labels, result.confusions):
        click.echo(f"note: fewer than {FEWEST_SCORED} texts were there to score {', '.join(few)}", err=True)
