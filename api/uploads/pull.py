"""Lets a parser thread pull a request's body from the event loop, piece by piece, at the parser's own speed."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Protocol

from starlette.requests import ClientDisconnect

from shared.errors import MalformedRequestError, TooLargeError


class Body(Protocol):
    """The body of an upload as its parser sees it: non-empty pieces, once."""

    @property
    def received_bytes(self) -> int:
        """How much has been read so far."""

    def __iter__(self) -> Iterator[bytes]: ...


class BodyPull:
    """An iterator of byte pieces for one thread that is not the event loop's.

    Nothing is read ahead: the client is told to wait when the parser is busy. Iterating raises `TooLargeError` after
    `max_bytes`, and `MalformedRequestError` when the client leaves or sends nothing for `stall_s`.
    """

    def __init__(self, stream: AsyncIterator[bytes], *, max_bytes: int, stall_s: float) -> None:
        self.received_bytes = 0
        self._stream = stream
        self._loop = asyncio.get_running_loop()
        self._max_bytes = max_bytes
        self._stall_s = stall_s

    def __iter__(self) -> Iterator[bytes]:
        while piece := self._pull():
            self.received_bytes += len(piece)
            if self.received_bytes > self._max_bytes:
                raise TooLargeError(f"the upload is larger than {self._max_bytes:,} bytes (MAX_JOB_BYTES); split it")
            yield piece

    def _pull(self) -> bytes:
        future = asyncio.run_coroutine_threadsafe(self._next_piece(), self._loop)
        try:
            return future.result(self._stall_s)
        except FutureTimeoutError as error:
            future.cancel()
            raise MalformedRequestError(
                f"no byte of the upload came for {self._stall_s:g} s (UPLOAD_STALL_S)"
            ) from error
        except ClientDisconnect as error:
            raise MalformedRequestError("the client left before the upload was complete") from error

    async def _next_piece(self) -> bytes:
        """The next piece that has bytes; none at the end."""
        async for piece in self._stream:
            if piece:
                return piece
        return b""
