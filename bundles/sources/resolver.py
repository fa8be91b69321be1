"""Finds the bundle that the setting `MODEL` names, converting the source first if it is not a bundle.

`MODEL` is an embedded model's name, a folder, a checkpoint file, or a repository on the Hugging Face Hub:
`owner/name[/folder or file][@revision]`.
"""

from pathlib import Path

from bundles.format import MANIFEST_FILE, Bundle, load_bundle
from bundles.own_process import Notice, OnReport, Progress
from bundles.sources.local_path import find_local
from models import DEFAULT_NAME, EMBEDDED_DIR, embedded_names
from shared.log import get_logger
from shared.settings import Settings

log = get_logger(__name__)


def log_report(report: Progress | Notice) -> None:
    """Log a report; the `on_report` of a process without a terminal."""
    if isinstance(report, Notice):
        log.warning("model_notice", notice=report.message)
    else:
        log.info("model_progress", doing=report.message, percent=round(100 * report.fraction))


def resolve(settings: Settings, on_report: OnReport = log_report, check: Path | None = None) -> Bundle:
    """The bundle to serve. `check` is as in `SourceResolver`.

    Raises:
        ModelNotFoundError: the source does not exist.
        BundleInvalidError: there is a bundle, but it cannot be served.
        ModelSourceError: there is a model, but it cannot become a bundle.
        HubUnreachableError: the Hub does not answer, and nothing was downloaded before.
        StartupError: no room, no permission, nothing to convert with, or the conversion was killed.
    """
    source = settings.model or DEFAULT_NAME
    if source in embedded_names():
        return load_bundle(EMBEDDED_DIR / source)
    folder = find_local(source)
    if folder is not None and (folder / MANIFEST_FILE).is_file():
        return load_bundle(folder)
    # What downloads and converts is not loaded where nothing needs it: each process of a start would pay for it.
    from bundles.sources.source_resolver import SourceResolver  # noqa: PLC0415

    return SourceResolver(settings, on_report, check).resolve(source)


def is_bundle(source: str | None) -> bool:
    """Whether `source` is an embedded model or a folder with a bundle, which nothing is converted for."""
    if source is None or source in embedded_names():
        return True
    folder = find_local(source)
    return folder is not None and (folder / MANIFEST_FILE).is_file()
