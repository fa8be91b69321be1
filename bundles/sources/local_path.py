"""Finds the file or folder of this machine that a user's setting names, where it names one."""

import errno
from pathlib import Path

from shared.errors import StartupError

# Nothing has such a name: it is too long, or no path at all.
_NO_NAME = frozenset((errno.ENAMETOOLONG, errno.EINVAL, errno.ENOENT, errno.ENOTDIR, errno.ELOOP))


def find_local(written: str) -> Path | None:
    """The file or folder at `written`, `~` expanded; else that without the blanks at its ends; None if there is none.

    Raises:
        StartupError: this user may not look there.
    """
    for name in dict.fromkeys((written, written.strip())):
        try:
            path = Path(name).expanduser()
            if name and path.exists():
                return path
        except (RuntimeError, ValueError):  # `~nobody` without a home folder; a NUL byte
            continue
        except OSError as error:
            if error.errno not in _NO_NAME:
                raise StartupError(f"{name} cannot be read: {error.strerror}") from error
    return None
