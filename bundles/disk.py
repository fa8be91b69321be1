"""Explains disk errors in one sentence that names the setting with which to choose another folder."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import StartupError

# A full disk, a used-up quota, and a limit on the size of a file.
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_MIB = 1 << 20


@contextmanager
def disk_errors_explained(what: str, folder: Path, setting: str) -> Iterator[None]:
    """Raise a `StartupError` for any `OSError` inside: `what` could not be kept in `folder`, chosen by `setting`."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            free_mib = shutil.disk_usage(_existing(folder)).free // _MIB
            raise StartupError(
                f"the disk is full: {what} did not fit into {folder} ({free_mib} MB free); make room, or set {setting} "
                "to a folder on another disk"
            ) from error
        raise StartupError(
            f"{what} cannot be kept in {folder}: {error.strerror or error}; set {setting} to a folder that this user "
            "may write"
        ) from error


def _existing(folder: Path) -> Path:
    return next(parent for parent in (folder, *folder.parents) if parent.exists())
