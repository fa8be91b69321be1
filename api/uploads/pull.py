"""Lets a parser thread pull a request's body from the event loop, piece by piece, at the parser's own speed."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Protocol

from starlette.requests import ClientDisconnect

from shared.errors import KobertError, MalformedRequestError, TooLargeError


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
        self._waited_s = 0.0
        self._waits_since: float | None = None
        self._pulled: Future[bytes] | None = None
        self._refusal: KobertError | None = None

    @property
    def waited_s(self) -> float:
        """How long the parser has waited for the client, until now."""
        return self._waited_s + self.pause_s

    @property
    def pause_s(self) -> float:
        """How long it has now been waiting for the next piece."""
        since = self._waits_since
        return 0.0 if since is None else time.monotonic() - since

    def refuse(self, error: KobertError) -> None:
        """Make the parser raise `error` when it next waits for the client, or now if it does. Thread-safe."""
        self._refusal = error
        if self._pulled is not None:
            self._pulled.cancel()

    def __iter__(self) -> Iterator[bytes]:
        while piece := self._pull():
            self.received_bytes += len(piece)
            if self.received_bytes > self._max_bytes:
                raise TooLargeError(f"the upload is larger than {self._max_bytes:,} bytes (MAX_JOB_BYTES); split it")
            yield piece

    def _pull(self) -> bytes:
        began_at = self._waits_since = time.monotonic()
        self._pulled = asyncio.run_coroutine_threadsafe(self._next_piece(), self._loop)
        if self._refusal is not None:
            self._pulled.cancel()
        try:
            return self._pulled.result(self._stall_s)
        except FutureTimeoutError as error:
            self._pulled.cancel()
            raise MalformedRequestError(
                f"no byte of the upload came for {self._stall_s:g} s (UPLOAD_STALL_S)"
            ) from error
        except ClientDisconnect as error:
            raise MalformedRequestError("the client left before the upload was complete") from error
        except CancelledError:
            raise self._refusal or MalformedRequestError("the upload was cancelled") from None
        finally:
            self._waits_since = None
            self._waited_s += time.monotonic() - began_at

    async def _next_piece(self) -> bytes:
        """The next piece that has bytes; none at the end."""
        async for piece in self._stream:
            if piece:
                return piece
        return b""
