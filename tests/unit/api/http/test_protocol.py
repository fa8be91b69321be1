"""What a connection leaves behind when it ends."""

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from api.http.direct import Exchange, ParsedExchange
from api.http.direct_protocol import DirectProtocol, bounded_protocol
from api.http.refusals import HeadLimits
from api.http.traffic import Traffic, traffic_limits
from shared.settings import Settings


class SilentTransport(asyncio.Transport):
    """Takes what is written, and tells the addresses of its ends."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.written = b""
        self.closings = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.closings += 1

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class NothingDirect:
    """Leaves every request to the framework."""

    def take(self, _cycle: RequestResponseCycle, _app: object) -> ParsedExchange | None:
        return None

    def begin(self, _exchange: Exchange) -> bool:
        return False


async def answer_empty(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


def protocol_of(traffic: Traffic) -> DirectProtocol:
    config = Config(answer_empty, timeout_keep_alive=60)
    config.load()
    return bounded_protocol(HeadLimits(8_000, 50), traffic, NothingDirect())(config, ServerState(), {})


async def test_a_connection_that_was_reset_after_an_answer_leaves_no_timer_that_would_keep_it() -> None:
    traffic = Traffic(traffic_limits(Settings()))
    protocol, transport = protocol_of(traffic), SilentTransport()
    protocol.connection_made(transport)
    protocol.data_received(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    while b"200 OK" not in transport.written:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert protocol.timeout_keep_alive_task is not None

    protocol.connection_lost(ConnectionResetError())

    assert protocol.timeout_keep_alive_task is None
    assert len(traffic) == 0
