"""What can be known to be wrong before anything is started; each fault is one sentence that says what to do."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import StartupError
from shared.listening import open_listeners

PRIVATE_MODE = 0o700
PRIVATE_FILE_MODE = 0o600
# What this product puts into its data folder.
OWN_ENTRIES = frozenset(("lock", "models", "store"))
MIN_FREE_BYTES = 64 << 20
_MIB = 1 << 20


def require_free_port(host: str, port: int) -> None:
    """Check that we could listen there.

    Raises:
        StartupError: the port is taken, or the address is not this machine's.
    """
    for listener in open_listeners(host, port):
        listener.close()


def private_dir(folder: Path) -> None:
    """Make `folder`, or close an existing one of ours, to everybody but this user.

    Raises:
        StartupError: it cannot be made, or what is in it belongs to somebody else.
    """
    try:
        folder.mkdir(mode=PRIVATE_MODE, parents=True, exist_ok=True)
        for path in (folder, *folder.rglob("*")):
            _require_ours(path)
            path.chmod(PRIVATE_MODE if path.is_dir() else PRIVATE_FILE_MODE)
    except OSError as error:
        raise StartupError(
            f"cannot use {error.filename or folder} ({error.strerror}); choose another place with DATA_DIR"
        ) from error


def _require_ours(path: Path) -> None:
    """Check that this user may read and write `path`."""
    if os.access(path, os.R_OK | os.W_OK, effective_ids=True):
        return
    raise StartupError(
        f"{path} belongs to another user (id {path.stat().st_uid}) and cannot be read and written by this one "
        f"(id {os.geteuid()}); run as that user, or choose another place with DATA_DIR"
    )


@contextmanager
def exclusive_data_dir(data_dir: Path) -> Iterator[None]:
    """Hold `data_dir` for this process, after checking that it can be written to and has room.

    Raises:
        StartupError: it cannot be written, the disk is full, or another `kobert run` holds it.
    """
    try:
        _make_data_dir(data_dir)
        lock = (data_dir / "lock").open("a")
    except (FileExistsError, NotADirectoryError) as error:
        raise StartupError(f"{data_dir} is no folder: a file is in its way; choose another with DATA_DIR") from error
    except OSError as error:
        raise StartupError(
            f"cannot write to the data directory {data_dir} ({error.strerror}); choose another with DATA_DIR"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StartupError(
                f"another kobert uses the data directory {data_dir}; stop it, or choose another with DATA_DIR"
            ) from error
        _require_room(data_dir)
        yield


def _make_data_dir(data_dir: Path) -> None:
    """A new folder is closed to others, and so is one in which there is nothing but what we put there.

    Any other folder stays as it is: who sets DATA_DIR=/srv does not want /srv closed.
    """
    data_dir.mkdir(mode=PRIVATE_MODE, parents=True, exist_ok=True)
    is_ours = data_dir.stat().st_uid == os.geteuid()
    if is_ours and OWN_ENTRIES.issuperset(path.name for path in data_dir.iterdir()):
        data_dir.chmod(PRIVATE_MODE)


def _require_room(data_dir: Path) -> None:
    free = shutil.disk_usage(data_dir).free
    if free < MIN_FREE_BYTES:
        raise StartupError(
            f"only {free // _MIB} MB are free where {data_dir} lies, {MIN_FREE_BYTES // _MIB} MB are needed; "
            "make room, or choose another place with DATA_DIR"
        )
