"""Remembers request heads: one that came before, byte for byte, need not be parsed again.

A client sends the same head with every text, but for a length. Reading one costs a request as much as its way to a
worker and back: a callback for each header, and what the framework would need to know.
"""

from collections.abc import Mapping

# Heads of so many kinds are kept, and no longer ones: 1 MB at most.
MAX_HEADS = 512
MAX_HEAD_BYTES = 2048
_END = b"\r\n\r\n"


class Head:
    """What the head of a plain request says. `headers` has each name once; `length` is that of the body.

    `is_lasting`: it says the same on every connection, and may be remembered. `is_last`: the connection ends with the
    answer. `is_old`: it is of HTTP/1.0.
    """

    __slots__ = ("headers", "is_last", "is_lasting", "is_old", "length")

    def __init__(self, headers: Mapping[bytes, bytes], length: int, *, is_lasting: bool) -> None:
        self.headers = headers
        self.length = length
        self.is_lasting = is_lasting
        self.is_last = self.is_old = False


class KnownHeads:
    """One per process. Heads with keys are among them, so what a key may do is still asked for every request."""

    def __init__(self) -> None:
        self._heads: dict[bytes, Head] = {}

    def __len__(self) -> int:
        return len(self._heads)

    def find(self, raw: bytes) -> Head | None:
        """What a head says that was remembered."""
        return self._heads.get(raw)

    def remember(self, raw: bytes, head: Head) -> None:
        """Know this head from now on; the oldest one is forgotten where there are too many."""
        if len(raw) > MAX_HEAD_BYTES:
            return
        if len(self._heads) >= MAX_HEADS:
            del self._heads[next(iter(self._heads))]
        self._heads[raw] = head


def head_of(data: bytes) -> bytes:
    """The first bytes up to and including the first empty line; nothing if there is none."""
    end = data.find(_END)
    return b"" if end < 0 else data[: end + len(_END)]
