"""A connection before its first byte. It uses less memory than one that reads HTTP; most attackers send nothing.

uvicorn gives each connection a parser, a queue and some fifty fields as it is opened. Clients that open thousands and
send nothing would have all that of each.
"""

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.server import ServerState

from api.http.protocol import BoundedProtocol
from api.http.traffic import LAST_REQUEST_S, Traffic
from api.http.unread import has_unread_bytes


class Doorstep(asyncio.Protocol):
    """Hands the connection over to `protocol_class` with its first byte; `traffic` knows it until then."""

    __slots__ = ("_arguments", "_opened_at", "_state", "_transport")

    protocol_class: type[BoundedProtocol]
    traffic: Traffic

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        loop = _loop or asyncio.get_running_loop()
        self._arguments = (config, server_state, app_state, loop)
        self._state = server_state
        self._opened_at = loop.time()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Take the connection if there is room for it."""
        self._transport = transport
        self._state.connections.add(self)  # type: ignore[arg-type]  # it closes what is here by `shutdown` alone
        if self.traffic.opened(self):
            if self.traffic.is_ending:
                # The event loop took it just before the server stopped listening.
                self.shutdown()
        elif self.traffic.is_flooded():
            transport.abort()
        else:
            self._hand_over(transport).refuse_connection()

    def data_received(self, data: bytes) -> None:
        """The first bytes are the other protocol's, as all that follow."""
        if self._transport is not None:
            protocol = self._hand_over(self._transport)
            protocol.data_received(data)
            if self.traffic.is_ending:
                protocol.shutdown()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  as asyncio has it
        """Forget the connection."""
        self._leave()
        self._transport = None

    def check(self, now: float, elapsed_s: float) -> None:  # noqa: ARG002  as `Connection` has it
        """Close a connection on which nothing came."""
        if now - self._opened_at > self.traffic.limits.keep_alive_s:
            self._close()

    def abort(self) -> None:
        """Close the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def shutdown(self) -> None:
        """The server ends: answer what comes soon, and close the connection."""
        asyncio.get_running_loop().call_later(LAST_REQUEST_S, self._end)

    def _end(self) -> None:
        if self._transport is not None and not self._close():
            self.shutdown()

    def _close(self) -> bool:
        """Close the connection, unless its first bytes wait to be read."""
        if self._transport is None or has_unread_bytes(self._transport):
            return False
        self._transport.close()
        return True

    def _hand_over(self, transport: asyncio.Transport) -> BoundedProtocol:
        protocol = self.protocol_class(*self._arguments)
        self._state.connections.discard(self)
        transport.set_protocol(protocol)
        self.traffic.replace(self, protocol)
        protocol.take_over(transport, self._opened_at)
        self._transport = None
        return protocol

    def _leave(self) -> None:
        self._state.connections.discard(self)
        self.traffic.closed(self)


def doorstep_of(protocol_class: type[BoundedProtocol]) -> type[Doorstep]:
    """The doorstep of such a protocol; uvicorn takes a class."""
    return type(
        "Doorstep", (Doorstep,), {"__slots__": (), "protocol_class": protocol_class, "traffic": protocol_class.traffic}
    )
