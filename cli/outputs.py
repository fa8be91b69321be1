"""Files and folders that a command is told to write: checked before the work, so that no work is lost to a bad name."""

import contextlib
import gzip
import os
import sys
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import click

from shared.errors import KobertError, StartupError

STDOUT = "-"
RESULT_FORMATS = ("jsonl", "csv", "tsv", "xlsx", "parquet")
_BY_SUFFIX = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".xlsx": "xlsx",
    ".parquet": "parquet",
    ".pq": "parquet",
}
# The others are compressed in themselves.
_GZIPPED = frozenset({"jsonl", "csv", "tsv"})
_BINARY = frozenset({"xlsx", "parquet"})
_SERVED = ".csv, .tsv, .jsonl (each also with .gz), .xlsx or .parquet"


@dataclass(frozen=True)
class ResultFile:
    """Where results go. `format` is None where the job's own is wanted; `path` None for standard output."""

    path: Path | None
    format: str | None = None
    is_gzipped: bool = False

    @classmethod
    def named(cls, path: Path) -> "ResultFile":
        """What the ending of the name asks for.

        Raises:
            KobertError: no results are made with that ending.
        """
        if str(path) == STDOUT:
            return cls(None)
        name = path.name.lower()
        is_gzipped = name.endswith(".gz")
        suffix = Path(name.removesuffix(".gz")).suffix
        file_format = _BY_SUFFIX.get(suffix)
        if file_format is None and (suffix or is_gzipped):
            raise KobertError(f"no results end in {_ending(path)}; name the file {_SERVED}")
        if is_gzipped and file_format not in _GZIPPED:
            raise KobertError(f"{suffix} files are compressed already; leave .gz away, or name the file {_SERVED}")
        return cls(path, file_format, is_gzipped)

    def with_format(self, file_format: str | None) -> "ResultFile":
        """The same file in a format that the user named.

        Raises:
            KobertError: the name says another.
        """
        if file_format is None:
            return self
        if self.format not in {None, file_format}:
            raise KobertError(f"--format {file_format} does not fit a file that ends in {_ending(self.path)}")
        return ResultFile(self.path, file_format, self.is_gzipped)

    def require_writable(self, source: Path | None = None) -> None:
        """Check that results can be written there; `source` is the file that they are about.

        Raises:
            KobertError: they cannot, or they would replace `source`.
        """
        if self.path is None:
            if self.format in _BINARY and sys.stdout.isatty():
                raise KobertError(f"{self.format} is not for a terminal; name a file with -o")
            return
        with _write_errors_named(self.path):
            _probe(self.path)
            if source is not None and source.is_file() and self.path.exists() and self.path.samefile(source):
                raise KobertError(f"-o {_shown(self.path)} would replace the file that is sent; choose another name")

    def write(self, pieces: Iterable[bytes]) -> None:
        """Write the pieces; a file appears under its name only when it is whole.

        Raises:
            KobertError: the disk is full, or the place cannot be written to any more.
        """
        if self.path is None:
            for piece in pieces:
                sys.stdout.buffer.write(piece)
            return
        with _write_errors_named(self.path):
            if self.path.exists() and not self.path.is_file():
                with self.path.open("wb") as device:
                    self._copy(pieces, device)
                return
            target = Path(os.path.realpath(self.path))
            unfinished = _beside(target)
            try:
                with unfinished.open("xb") as file:
                    self._copy(pieces, file)
                unfinished.replace(target)
            finally:
                unfinished.unlink(missing_ok=True)

    def _copy(self, pieces: Iterable[bytes], file: IO[Any]) -> None:
        if not self.is_gzipped:
            file.writelines(pieces)
            return
        with gzip.GzipFile(filename="", mode="wb", fileobj=file) as packed:
            for piece in pieces:
                packed.write(piece)


def require_new_folder(path: Path, option: str = "--output") -> None:
    """Check that a folder can be made or filled at `path`.

    Raises:
        StartupError: there is a file, or a folder with something in it, or nothing can be written there.
    """
    try:
        if path.exists() and not path.is_dir():
            raise StartupError(f"{option} {_shown(path)} is a file; name a new folder")
        if path.exists() and any(path.iterdir()):
            raise StartupError(f"{option} {_shown(path)} is not empty; name a new folder")
        is_new = not path.exists()
        path.mkdir(parents=True, exist_ok=True)
        probe = _beside(path / "probe")
        probe.touch(exist_ok=False)
        probe.unlink()
        if is_new:
            path.rmdir()
    except OSError as error:
        raise StartupError(f"{option} {_shown(path)} cannot be written: {error.strerror or error}") from error


def _probe(path: Path) -> None:
    if path.is_dir():
        raise KobertError(f"-o {_shown(path)} is a folder; name a file in it")
    with contextlib.suppress(FileNotFoundError):
        path.stat()  # a name that is too long, or a file where a folder should be
    if path.exists() and not os.access(path, os.W_OK):
        raise KobertError(f"-o {_shown(path)} is write-protected; choose another name")
    if path.exists() and not path.is_file():
        return
    unfinished = _beside(Path(os.path.realpath(path)))
    unfinished.touch(exist_ok=False)
    unfinished.unlink()


def _beside(path: Path) -> Path:
    """A name in the same folder that is short, whatever the length of the file's own."""
    return path.with_name(f".kobert-{uuid.uuid4().hex[:12]}.part")


@contextmanager
def _write_errors_named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise KobertError(f"cannot write {_shown(path)}: {error.strerror or error}") from error


def _ending(path: Path | None) -> str:
    suffixes = Path(path or "").suffixes
    gzipped = len(suffixes) > 1 and suffixes[-1].lower() == ".gz"
    return "".join(suffixes[-2:] if gzipped else suffixes[-1:])


def _shown(path: Path) -> str:
    return click.format_filename(path)
