"""Input files as the store keeps them: compressed and in parts, so that no process holds a whole file in memory."""

import zlib
from collections.abc import Iterable, Iterator

from shared.errors import NotFoundError

# Of a packed file in one value of the store, and of an unpacked one at a time.
PART_BYTES = 64 * 1024


def packed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """A file in parts of about `PART_BYTES`."""
    packer = zlib.compressobj(1)
    part = bytearray()
    for piece in pieces:
        part += packer.compress(piece)
        if len(part) >= PART_BYTES:
            yield bytes(part)
            part.clear()
    yield bytes(part + packer.flush())


def unpacked(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The file again, in pieces of `PART_BYTES` at most; raises as `Unpacking.end`."""
    unpacking = Unpacking()
    for part in parts:
        yield from unpacking.feed(part)
    unpacking.end()


class Unpacking:
    """Unpacks the parts of a file one by one."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj()

    def feed(self, part: bytes) -> Iterator[bytes]:
        """What one part unpacks to, in pieces of `PART_BYTES` at most."""
        left = part
        while left:
            yield self._stream.decompress(left, PART_BYTES)
            left = self._stream.unconsumed_tail

    def end(self) -> None:
        """Check that all parts came.

        Raises:
            NotFoundError: the file was deleted while it was read.
        """
        if not self._stream.eof:
            raise NotFoundError("the file was deleted while it was read", param="file_id")
