"""The embedded store's append-only files: checked before the server reads them, and mended where no data is at stake.

A power cut can leave a file that ends in zeros, which the server refuses to load. Valkey's own `valkey-check-aof` is no
help: it takes the base file for damaged, and with `--fix` it would empty it.
"""

import mmap
import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.errors import StartupError

FOLDER = "appendonlydir"
MANIFEST = "appendonly.aof.manifest"
_DATA_FILE = re.compile(r"appendonly\.aof\.(\d+)\.(base|incr)\.(?:rdb|aof)")
_MANIFEST_LINE = re.compile(r"file (\S+) seq (\d+) type ([bih])(?: .*)?")
# More than a number with its sign and its line end has: what reading stopped at before the zeros may be half of one.
_NUMBER_BYTES = 32
_LINE_END = b"\r\n"
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Scan:
    """How far a file of commands can be read: whole commands end at `good`, reading stops at `stopped`."""

    good: int
    stopped: int
    size: int


def check(store_dir: Path) -> list[str]:
    """Look at the files below `store_dir` before the server loads them; returns what was mended, a sentence each.

    Raises:
        StartupError: they cannot be loaded, or loading them would lose data without a word.
    """
    folder = store_dir / FOLDER
    if not folder.is_dir():
        return []
    notes: list[str] = []
    names = _names(folder, notes)
    for name in names:
        _require_file(folder / name, store_dir)
    if names and (note := _cut_zeros(folder / names[-1], store_dir)):
        notes.append(note)
    return notes


def describe_damage(store_dir: Path) -> str | None:
    """The first damaged place in the files of commands and what to do about it; None when all can be read."""
    folder = store_dir / FOLDER
    for name in _read_manifest(folder) or ():
        path = folder / name
        if path.suffix != ".aof" or not path.exists():
            continue
        found = scan(path)
        if found.good < found.size:
            return (
                f"{path} is damaged at byte {found.good:,} of {found.size:,}; to keep what was written before that: "
                f"cp '{path}' '{path}.bak' && truncate -s {found.good} '{path}'; {_start_empty(store_dir)}"
            )
    return None


def scan(path: Path) -> Scan:
    """Read a file of commands (`*2\\r\\n$3\\r\\nGET\\r\\n…`) up to where it stops making sense."""
    size = path.stat().st_size
    if size == 0:
        return Scan(0, 0, 0)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        good = 0
        while good < size:
            end, is_whole = _end_of_command(data, good)
            if not is_whole:
                return Scan(good, end, size)
            good = end
        return Scan(good, good, size)


def _end_of_command(data: mmap.mmap, start: int) -> tuple[int, bool]:
    """Where the command at `start` ends, or where it goes wrong."""
    if data[start : start + 1] == b"#":  # an annotation: one line
        end = data.find(_LINE_END, start)
        return (len(data), False) if end < 0 else (end + 2, True)
    place, words = _number(data, start, b"*")
    if words is None:
        return place, False
    for _ in range(words):
        place, length = _number(data, place, b"$")
        if length is None:
            return place, False
        place += length
        if data[place : place + 2] != _LINE_END:
            return min(place, len(data)), False
        place += 2
    return place, True


def _number(data: mmap.mmap, start: int, sign: bytes) -> tuple[int, int | None]:
    """Where the next line begins and the number on the line at `start`; the fault's place and None if it is none."""
    end = data.find(_LINE_END, start, start + _NUMBER_BYTES)
    digits = data[start + 1 : end] if end >= 0 else b""
    if data[start : start + 1] != sign or not digits.isdigit():
        return start, None
    return end + 2, int(digits)


def _names(folder: Path, notes: list[str]) -> list[str]:
    """The files that the manifest names, in the order in which they are loaded; writes a lost manifest anew."""
    names = _read_manifest(folder)
    if names is not None:
        return names
    found = sorted(path.name for path in folder.iterdir() if _DATA_FILE.fullmatch(path.name))
    if not found:
        return []
    manifest = folder / MANIFEST
    bases = [name for name in found if ".base." in name]
    others = [name for name in found if ".incr." in name]
    if len(bases) != 1 or len(others) > 1:
        raise StartupError(
            f"{manifest} is missing or damaged, and the files beside it do not tell which of them belong together; "
            f"restore the folder from a backup; {_start_empty(folder.parent)}"
        )
    backup = _backup(manifest, folder.parent) if manifest.exists() else None
    names = bases + others
    _write_manifest(manifest, names)
    kept = "" if backup is None else f" (the damaged one is kept as {backup})"
    notes.append(f"the list of the store's files was lost and has been written anew: {manifest}{kept}")
    return names


def _read_manifest(folder: Path) -> list[str] | None:
    """The names of the base file and of those that follow it; None when there is no manifest that can be read."""
    try:
        lines = (folder / MANIFEST).read_text("utf-8").splitlines()
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    entries = [_MANIFEST_LINE.fullmatch(line) for line in lines if line and not line.startswith("#")]
    known = [entry for entry in entries if entry is not None]
    if not known or len(known) != len(entries):
        return None
    order = {"b": 0, "i": 1}
    live = [entry for entry in known if entry[3] in order]
    return [entry[1] for entry in sorted(live, key=lambda entry: (order[entry[3]], int(entry[2])))]


def _write_manifest(manifest: Path, names: Sequence[str]) -> None:
    lines: list[str] = []
    for name in names:
        found = _DATA_FILE.fullmatch(name)
        if found is not None:
            lines.append(f"file {name} seq {found[1]} type {found[2][0]}\n")
    fresh = manifest.with_name(f"temp-{manifest.name}")
    fresh.write_text("".join(lines))
    fresh.replace(manifest)


def _require_file(path: Path, store_dir: Path) -> None:
    """Check that a file which the manifest names is there; the server takes an empty base file for an empty store."""
    is_base = ".base." in path.name
    if not path.exists():
        fault = "is missing"
    elif is_base and path.stat().st_size == 0:
        fault = "is empty"
    else:
        return
    raise StartupError(
        f"{path} {fault}, so the store's data cannot be loaded; restore it from a backup; {_start_empty(store_dir)}"
    )


def _cut_zeros(path: Path, store_dir: Path) -> str | None:
    """Cut the zeros that a power cut left at the end of `path`, after a copy; returns what was done."""
    zeros_from = _start_of_zeros(path)
    if path.suffix != ".aof" or zeros_from == path.stat().st_size:
        return None
    found = scan(path)
    if zeros_from - found.stopped > _NUMBER_BYTES or found.good == found.size:
        # Something else is wrong before the zeros, or they belong to a command: the server says which.
        return None
    backup = _backup(path, store_dir)
    with path.open("r+b") as file:
        file.truncate(found.good)
    return (
        f"{path.name} ended in {found.size - zeros_from:,} zeros, as after a power cut: "
        f"{found.size - found.good:,} bytes were cut from its end; the file as it was is kept as {backup}"
    )


def _start_of_zeros(path: Path) -> int:
    """Where the zeros at the end of the file begin; its size when it ends otherwise."""
    with path.open("rb") as file:
        end = file.seek(0, 2)
        while end:
            start = max(0, end - _CHUNK_BYTES)
            file.seek(start)
            kept = len(file.read(end - start).rstrip(b"\0"))
            if kept:
                return start + kept
            end = start
    return 0


def _backup(path: Path, store_dir: Path) -> Path:
    copy = store_dir / f"{path.name}.damaged-{time.strftime('%Y%m%dT%H%M%S')}"
    try:
        shutil.copy2(path, copy)
    except OSError as error:
        copy.unlink(missing_ok=True)
        raise StartupError(
            f"{path} is damaged at its end and can be mended, but a copy of it cannot be written first "
            f"({error.strerror}); make room for {path.stat().st_size:,} bytes in {store_dir}"
        ) from error
    return copy


def _start_empty(store_dir: Path) -> str:
    return f"to start with an empty store: mv '{store_dir}' '{store_dir}.bak'"
