"""One connection of the API's HTTP protocol without a socket: what it is told, and what it writes."""

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from api.http.direct import Exchange, ParsedExchange
from api.http.direct_protocol import DirectProtocol, bounded_protocol
from api.http.refusals import HeadLimits
from api.http.traffic import Traffic


class SilentTransport(asyncio.Transport):
    """Takes what is written, and tells the addresses of its ends."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        super().__init__({"peername": (address, 1), "sockname": ("127.0.0.1", 2)})
        self.written = b""
        self.closings = 0
        self.reads = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.closings += 1

    def is_closing(self) -> bool:
        return False

    def can_write_eof(self) -> bool:
        return False

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True


class NothingDirect:
    """Leaves every request to the framework."""

    def take(self, _cycle: RequestResponseCycle, _app: object) -> ParsedExchange | None:
        return None

    def begin(self, _exchange: Exchange) -> bool:
        return False


async def answer_empty(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


async def answer_length(_scope: Any, receive: Any, send: Any) -> None:
    length, has_more = 0, True
    while has_more:
        message = await receive()
        length, has_more = length + len(message["body"]), message["more_body"]
    content = str(length).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(content))]})
    await send({"type": "http.response.body", "body": content})


def protocol_of(traffic: Traffic, app: Any = answer_empty) -> DirectProtocol:
    config = Config(app, timeout_keep_alive=60)
    config.load()
    return bounded_protocol(HeadLimits(8_000, 50), traffic, NothingDirect())(config, ServerState(), {})
