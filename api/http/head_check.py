"""Looks at a request head while it is read: it may have so many headers, and names one host."""

import re

_HOST_OF_TARGET = re.compile(rb"(?i)[a-z]+://([^/?#]*)")


class RefusedHeadError(Exception):
    """Raised inside a callback to make the parser stop."""


class HeadCheck:
    """Of one connection, for one head after the other. Of two hosts a proxy may look at the one, and this service at
    the other (RFC 9112, 3.2).
    """

    __slots__ = ("_host", "_max_headers", "count")

    def __init__(self, max_headers: int) -> None:
        self._max_headers = max_headers
        self.count = 0
        self._host: bytes | None = None

    @property
    def has_too_many(self) -> bool:
        """Whether it has more headers than it may."""
        return self.count > self._max_headers

    def begin(self) -> None:
        """A new head begins."""
        self.count = 0
        self._host = None

    def take(self, name: bytes, value: bytes) -> None:
        """Count a header.

        Raises:
            RefusedHeadError: there are too many, or it is a second host.
        """
        self.count += 1
        if self.has_too_many:
            raise RefusedHeadError
        if name.lower() == b"host":
            if self._host is not None:
                raise RefusedHeadError
            self._host = value

    def host_of_target(self, target: bytes) -> bytes | None:
        """The host that `GET http://host/path` names where no header does.

        Raises:
            RefusedHeadError: a header names another one.
        """
        found = _HOST_OF_TARGET.match(target)
        if found is None:
            return None
        if self._host is None:
            return found[1]
        if self._host.strip().lower() != found[1].lower():
            raise RefusedHeadError
        return None
