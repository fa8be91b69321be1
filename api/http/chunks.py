"""Bodies in chunks, each of which costs some microseconds to read, however small it is.

One read from the network holds forty thousand chunks of a byte: read at once, everybody else would wait for a tenth of
a second, and behind eight such clients for a second. So they are read in slices, and wait for their turn in between.
"""

import asyncio
from collections.abc import Iterator, Sequence

from uvicorn.protocols.http.flow_control import FlowControl

# A body with so many smaller ones waits for its turn after each slice, which takes a few milliseconds.
SMALL_CHUNK_BYTES, MANY_SMALL_CHUNKS = 64, 1_000
SLICE_BYTES = 8 * 1024


class Chunks:
    """Counts the small chunks of one body."""

    __slots__ = ("_small_count",)

    def __init__(self) -> None:
        self._small_count = 0

    @property
    def are_many(self) -> bool:
        """Whether the body has to wait for its turn."""
        return self._small_count > MANY_SMALL_CHUNKS

    def note(self, length: int) -> None:
        """A piece of so many bytes was read."""
        if length < SMALL_CHUNK_BYTES:
            self._small_count += 1

    def restart(self) -> None:
        """The next body begins."""
        self._small_count = 0


class HeldFlow(FlowControl):
    """Reads no more while bytes wait for their turn (`is_held`), whoever wants to go on reading."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__(transport)
        self.is_held = False

    def hold(self) -> None:
        """Read no more until `let_go`."""
        self.is_held = True
        self.pause_reading()

    def let_go(self) -> None:
        """Read again."""
        self.is_held = False
        self.resume_reading()

    def resume_reading(self) -> None:
        """Read again, unless bytes wait."""
        if not self.is_held:
            super().resume_reading()


def slices_of(data: bytes, headers: Sequence[tuple[bytes, bytes]] | None, *, is_head_begun: bool) -> Iterator[bytes]:
    """The bytes in slices, where a body in chunks may be among them; else all at once.

    `headers` are those of the body that is coming, and None between bodies. A head that comes in parts may have said so
    before (`is_head_begun`).
    """
    has_length = headers is None or any(name == b"content-length" for name, _ in headers)
    may_have_chunks = is_head_begun or not has_length or b"transfer-encoding" in data.lower()
    size = SLICE_BYTES if may_have_chunks else len(data)
    return (data[start : start + size] for start in range(0, len(data), size))
