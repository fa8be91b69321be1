"""Sockets to listen on, opened before a server is started, so that a bad `HOST` or `PORT` is one sentence."""

import errno
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from shared.errors import PortInUseError, StartupError

# Host, port, and what the user calls the port.
Address = tuple[str, int, str]

# Both mean every network; `::` those of IPv6 and IPv4.
EVERY_NETWORK = "::"
# Connections that the system keeps until they are taken; where that is full, a client tries again after a second.
BACKLOG = 4096
_HIGHEST_PORT = 65535
_FIRST_FREE_PORT = 1024


def open_listeners(host: str, port: int, setting: str = "PORT") -> list[socket.socket]:
    """Bound sockets for every address of `host`; `::` stands for every network, of IPv6 and of IPv4.

    `setting` is what the user calls the port.

    Raises:
        PortInUseError: another program listens there.
        StartupError: `host` is not an address of this machine, or the port is not for this user.
    """
    with ExitStack() as undo:
        opened: list[socket.socket] = []
        refusal: OSError | None = None
        for family, address in _addresses(host, port):
            try:
                opened.append(undo.enter_context(_bind(family, address, is_dual=host == EVERY_NETWORK)))
            except OSError as error:
                # A name such as localhost may have an IPv6 address where this machine has no IPv6.
                if error.errno not in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
                    raise _refused(host, port, setting, error) from error
                refusal = error
        if not opened:
            raise _unknown_host(host, refusal.strerror if refusal else "it has no address") from refusal
        undo.pop_all()
    return opened


def open_all_listeners(addresses: Sequence[Address]) -> list[socket.socket]:
    """Bound sockets for all of these, or for none.

    Raises:
        PortInUseError, StartupError: as `open_listeners`.
    """
    with ExitStack() as undo:
        opened = [undo.enter_context(one) for address in addresses for one in open_listeners(*address)]
        undo.pop_all()
    return opened


def _addresses(host: str, port: int) -> Iterator[tuple[socket.AddressFamily, tuple[object, ...]]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise _unknown_host(host, getattr(error, "strerror", None) or "it is not a host name") from error
    seen = dict.fromkeys((family, address) for family, _, _, _, address in found)
    yield from seen


def _bind(family: socket.AddressFamily, address: tuple[object, ...], *, is_dual: bool) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if is_dual else 1)
        listener.bind(address)
        # As an event loop wants it; the processes that a supervisor passes it to share this (`shared.inherited`).
        listener.setblocking(False)  # noqa: FBT003  no names
    except OSError:
        listener.close()
        raise
    return listener


def _refused(host: str, port: int, setting: str, error: OSError) -> StartupError:
    where = f"cannot listen on {host} port {port} ({error.strerror or error})"
    if error.errno == errno.EADDRINUSE:
        other = port + 1 if port < _HIGHEST_PORT else port - 1
        return PortInUseError(f"{where}; stop the program that uses it, or choose another: {setting}={other}")
    if error.errno in {errno.EACCES, errno.EPERM} and port < _FIRST_FREE_PORT:
        return StartupError(f"{where}; ports below {_FIRST_FREE_PORT} are for root: choose {setting} above")
    return _unknown_host(host, error.strerror or str(error))


def _unknown_host(host: str, reason: str | None) -> StartupError:
    return StartupError(
        f"cannot listen on HOST={host} ({reason}): it is not an address of this machine; write 127.0.0.1 for this "
        "machine alone, 0.0.0.0 for every network, or :: for every network with IPv6"
    )
