"""A process of the service that imports its program, and runs it once it is told its environment (`cli.early`).

    python -m cli.held MODULE

The environment comes through the standard input, a socket, as JSON; before it may come listening sockets
(`shared.inherited`). Where it ends without any, nothing is run: the command has found a fault, or is gone.
"""

import gc

# Before the imports, which make most of what a process keeps: see `shared.interpreter.freeze_startup_objects`.
if __name__ == "__main__":
    gc.disable()

import json
import os
import socket
import sys
from importlib import import_module

from shared.inherited import naming

# Every address of HOST and of ADMIN_HOST has one.
MAX_LISTENERS = 64
_PIECE_BYTES = 64 * 1024


def main() -> int:
    """Import the module that the command line names, wait, and run its `main`; returns the exit code."""
    program = import_module(sys.argv[1])
    told, listeners = _told()
    if not told:
        return 0
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.environ.update(json.loads(told))
    os.environ.update(naming(listeners))
    code: int = program.main()
    return code


def _told() -> tuple[bytes, list[int]]:
    """What the command says, and the descriptors that came with it."""
    with socket.socket(fileno=os.dup(0)) as channel:
        told, listeners, _, _ = socket.recv_fds(channel, _PIECE_BYTES, MAX_LISTENERS)
        while piece := channel.recv(_PIECE_BYTES):
            told += piece
    for number in listeners:
        os.set_inheritable(number, False)  # noqa: FBT003  no names
    return told, listeners


if __name__ == "__main__":
    sys.exit(main())
