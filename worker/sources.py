"""Finds the bundle that the setting `MODEL` names."""

from pathlib import Path

from models import DEFAULT_NAME, EMBEDDED_DIR, embedded_names
from shared.errors import ModelNotFoundError
from shared.settings import Settings
from worker.bundles import Bundle, load_bundle


def resolve(settings: Settings) -> Bundle:
    """The bundle to serve: an embedded one by name, or a folder.

    Raises:
        ModelNotFoundError: there is no such thing.
        BundleInvalidError: there is, but it cannot be served.
    """
    source = settings.model or DEFAULT_NAME
    if source in embedded_names():
        return load_bundle(EMBEDDED_DIR / source)
    folder = Path(source).expanduser()
    if folder.is_dir():
        return load_bundle(folder)
    raise ModelNotFoundError(
        f"MODEL={source}: there is no such folder, and no embedded model of that name ({', '.join(embedded_names())})"
    )
