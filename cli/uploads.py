"""A file to send: on disk, a pipe, or standard input; read in pieces, with a progress bar where its size is known."""

import contextlib
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import click

from shared.errors import KobertError

STDIN = "-"
READ_BYTES = 1 << 16


@dataclass(frozen=True)
class Upload:
    """An open file. `size_bytes` is None where nobody knows it before its end; `name` None where it has none."""

    source: IO[bytes]
    name: str | None
    size_bytes: int | None
    on_progress: Callable[[int], None] = lambda _: None

    def __iter__(self) -> Iterator[bytes]:
        """The bytes in pieces; as many as its size was at the start, though it may have grown since."""
        left = self.size_bytes
        while piece := self.source.read(READ_BYTES if left is None else min(READ_BYTES, left)):
            self.on_progress(len(piece))
            yield piece
            left = None if left is None else left - len(piece)
        if left:
            raise KobertError(f"{self.name} became shorter while it was sent; send it again")


@contextmanager
def open_upload(file: Path) -> Iterator[Upload]:
    """The file, or standard input for `-`.

    Raises:
        KobertError: it cannot be read.
    """
    if str(file) == STDIN:
        yield Upload(sys.stdin.buffer, None, None)
        return
    try:
        with file.open("rb") as source:
            status = os.fstat(source.fileno())
            if not stat.S_ISREG(status.st_mode):
                yield Upload(source, readable_name(file), None)
                return
            with click.progressbar(length=status.st_size, label="sending", file=sys.stderr) as bar:
                yield Upload(source, readable_name(file), status.st_size, bar.update)
    except OSError as error:
        raise KobertError(f"{click.format_filename(file)} cannot be read: {error.strerror}") from error


def readable_name(file: Path) -> str:
    """The file's name as text: a name in CP949 from an old disk or archive is read as that."""
    raw = os.fsencode(file.name)
    for encoding in ("utf-8", "cp949"):
        with contextlib.suppress(UnicodeDecodeError):
            return raw.decode(encoding)
    return raw.decode("utf-8", "replace")
