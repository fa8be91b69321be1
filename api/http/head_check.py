"""Looks at a request head while it is read: how many headers it may have, one host, one way to tell where it ends."""

import re

from api.http.refusals import EXPECTATION_FAILED, HEADERS_TOO_LARGE, MALFORMED

_HOST_OF_TARGET = re.compile(rb"(?i)[a-z]+://([^/?#]*)")
# Of a name, an address of IPv4, or one of IPv6 in brackets, and a port (RFC 3986, 3.2.2). It may be empty.
_HOST = re.compile(rb"(?:[\w.~!$&'()*+,;=%-]*|\[[0-9a-fA-F:.%v_~-]+\])(?::[0-9]*)?", re.ASCII)
_OLD, _NEW = "1.0", "1.1"


class RefusedHeadError(Exception):
    """Raised inside a callback to make the parser stop."""


class HeadCheck:
    """Of one connection, for one head after the other. Of two hosts a proxy may look at the one, and this service at
    the other (RFC 9112, 3.2).

    `status` is what the client is told where a head, or what the parser makes of it, is refused.
    """

    __slots__ = ("_host", "_is_expecting", "_max_headers", "count", "status")

    def __init__(self, max_headers: int) -> None:
        self._max_headers = max_headers
        self.begin()

    def begin(self) -> None:
        """A new head begins."""
        self.count = 0
        self.status = MALFORMED
        self._host: bytes | None = None
        self._is_expecting = False

    def take(self, name: bytes, value: bytes) -> None:
        """Look at a header.

        Raises:
            RefusedHeadError: there are too many, it is a second host or none, or asks for what nobody here does.
        """
        self.count += 1
        if self.count > self._max_headers:
            self.status = HEADERS_TOO_LARGE
            raise RefusedHeadError
        # Most names are told apart by their length alone.
        match len(name):
            case 4 if name.lower() == b"host":
                if self._host is not None or not _HOST.fullmatch(value.strip()):
                    raise RefusedHeadError
                self._host = value
            case 6 if name.lower() == b"expect":
                self._is_expecting = self._is_expecting or value.strip().lower() != b"100-continue"
            case 17 if name.lower() == b"transfer-encoding" and value.strip().lower() != b"chunked":
                # What is packed below the chunks is not unpacked, and what is in no chunks has no end.
                raise RefusedHeadError

    def check_whole(self, version: str, target: bytes) -> bytes | None:
        """Look at what the head says as a whole; returns the host that `GET http://host/path` names, if no header does.

        Raises:
            RefusedHeadError: a header names another host, or none does (RFC 9112, 3.2); the version is unknown; it
                expects something else than to be told to go on (RFC 9110, 10.1.1).
        """
        if version not in {_OLD, _NEW} or b"#" in target or (version == _NEW and self._host is None):
            raise RefusedHeadError
        if self._is_expecting and version == _NEW:
            self.status = EXPECTATION_FAILED
            raise RefusedHeadError
        found = None if target.startswith(b"/") else _HOST_OF_TARGET.match(target)
        if found is None:
            return None
        if self._host is None:
            return found[1]
        if self._host.strip().lower() != found[1].lower():
            raise RefusedHeadError
        return None
