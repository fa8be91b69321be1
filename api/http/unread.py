"""Tells whether a client has sent bytes that are not read yet.

A connection that is closed with such bytes is reset, so that their request is lost, and with it perhaps the answer
before it. On a busy machine a timer is often due before the event loop has read what came long ago.
"""

import asyncio
import contextlib
import fcntl
import struct
import termios


def has_unread_bytes(transport: asyncio.BaseTransport) -> bool:
    """Whether the system holds bytes of this connection that the event loop has not read."""
    connection = transport.get_extra_info("socket")
    count = 0
    if connection is not None:
        with contextlib.suppress(OSError, ValueError):  # it is closed
            (count,) = struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.FIONREAD, bytes(4)))
    return count > 0
