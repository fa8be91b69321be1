"""The transport of a connection as one request sees it."""

import asyncio
from collections.abc import Callable


class ClosingTransport(asyncio.Transport):
    """Sends by the connection's transport; the connection decides how to close."""

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        super().__init__()
        self._transport = transport
        self._close = close

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes."""
        self._transport.write(data)

    def close(self) -> None:
        """Close after what was written."""
        self._close()

    def is_closing(self) -> bool:
        """Whether it is closed, or about to be."""
        return self._transport.is_closing()
