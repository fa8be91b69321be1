"""The files of the page, held in memory as they are sent: packed, with a tag that changes with the content."""

import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath

_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".csv": "text/csv; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
}
PAGE = "index.html"


@dataclass(frozen=True)
class ConsoleFile:
    """One file: its bytes, these packed by gzip, and its tag."""

    content: bytes
    packed: bytes
    media_type: str
    etag: str


@cache
def console_files() -> dict[str, ConsoleFile]:
    """All files, by their path below `static/`."""
    return dict(_read(files("api.console").joinpath("static"), ""))


def _read(folder: Traversable, prefix: str) -> Iterator[tuple[str, ConsoleFile]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _read(entry, f"{prefix}{entry.name}/")
        elif media_type := _MEDIA_TYPES.get(PurePosixPath(entry.name).suffix):
            content = entry.read_bytes()
            tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
            # Without a time inside, the same bytes on every process.
            yield prefix + entry.name, ConsoleFile(content, gzip.compress(content, 9, mtime=0), media_type, tag)
