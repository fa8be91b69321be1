"""Listening sockets that a supervisor opened and keeps: connections wait in them while the API is started again.

`kobert run` names their descriptors in `KOBERT_LISTEN_FDS`, systemd in `LISTEN_FDS`, `LISTEN_PID` (sd_listen_fds(3)).
"""

import os
import socket
from collections.abc import MutableMapping, Sequence

from shared.errors import StartupError

VARIABLE = "KOBERT_LISTEN_FDS"
_SYSTEMD = ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES")
# systemd's begin behind standard input, output and error.
_FIRST_OF_SYSTEMD = 3


def inherited_listeners(environment: MutableMapping[str, str], pid: int) -> list[socket.socket]:
    """The sockets that the process `pid` got from its supervisor; none if it has to open its own.

    The variables are removed, since they say nothing to processes that this one starts.

    Raises:
        StartupError: what was passed is no such socket.
    """
    own = environment.pop(VARIABLE, "")
    count, of_pid, _ = (environment.pop(name, "") for name in _SYSTEMD)
    numbers = [int(number) for number in own.split(",") if number.isdecimal()]
    if not numbers and count.isdecimal() and of_pid == str(pid):
        numbers = list(range(_FIRST_OF_SYSTEMD, _FIRST_OF_SYSTEMD + int(count)))
    return [_listener(number) for number in numbers]


def naming(listeners: Sequence[int]) -> dict[str, str]:
    """The variable that tells a child of these descriptors; nothing where there are none."""
    return {VARIABLE: ",".join(map(str, listeners))} if listeners else {}


def _listener(number: int) -> socket.socket:
    try:
        os.set_inheritable(number, False)  # noqa: FBT003  no names
        found = socket.socket(fileno=number)
    except OSError as error:
        raise StartupError(f"descriptor {number}, which the supervisor passed, is no socket ({error})") from error
    is_internet = found.family in {socket.AF_INET, socket.AF_INET6}
    if found.type != socket.SOCK_STREAM or not is_internet:
        raise StartupError(f"descriptor {number}, which the supervisor passed, is no TCP socket (ListenStream=8000)")
    # The system keeps this for the socket, not for the process. Were it ever blocking, and Python makes it so again in
    # each copy of a blocking one, another API that takes connections from it would stand still until the next comes.
    found.setblocking(False)  # noqa: FBT003  no names
    return found
