"""What refused clients go on sending is read a little at a time, and those of one address in turns."""

import asyncio
from functools import partial

import pytest

from api.http import draining
from api.http.draining import Draining
from api.http.traffic import Traffic, traffic_limits
from shared.settings import Settings
from tests.support.connections import SilentTransport, protocol_of

PIECE = b"a" * 200_000


async def test_a_refused_body_is_read_a_piece_at_a_time_behind_those_of_its_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Sixty clients with 8 MB each were read as fast as they sent, and everybody else waited for every round of it."""
    # So long that a busy machine comes to the first look before the first round.
    monkeypatch.setattr(draining, "PAUSE_S", 1.0)
    traffic = Traffic(traffic_limits(Settings()))
    transports = [SilentTransport(), SilentTransport(), SilentTransport("127.0.0.2")]
    protocols = [protocol_of(traffic) for _ in transports]
    for protocol, transport in zip(protocols, transports, strict=True):
        protocol.connection_made(transport)
        protocol.data_received(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n")
        while b"200 OK" not in transport.written:
            await asyncio.sleep(0)
        protocol.data_received(PIECE)

    assert [transport.reads for transport in transports] == [False] * 3
    while not transports[0].reads:
        await asyncio.sleep(draining.PAUSE_S / 10)
    assert [transport.reads for transport in transports] == [True, False, True]
    while not transports[1].reads:
        await asyncio.sleep(draining.PAUSE_S / 10)


async def test_the_next_request_of_a_connection_is_answered_behind_a_body_that_nobody_wanted() -> None:
    traffic = Traffic(traffic_limits(Settings()))
    protocol, transport = protocol_of(traffic), SilentTransport()
    protocol.connection_made(transport)
    protocol.data_received(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 400000\r\n\r\n")
    while b"200 OK" not in transport.written:
        await asyncio.sleep(0)
    for _ in range(2):
        protocol.data_received(PIECE)
        while not transport.reads:
            await asyncio.sleep(draining.PAUSE_S / 10)
    protocol.data_received(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    async with asyncio.timeout(5):
        while transport.written.count(b"200 OK") < 2:
            await asyncio.sleep(0)


async def test_connections_of_each_address_go_on_in_the_order_in_which_they_came(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(draining, "PAUSE_S", 0.0)
    order: list[str] = []
    waiting = Draining()
    for name in ("a1", "a2", "a3", "b1"):
        waiting.wait(name[0], partial(order.append, name))
    async with asyncio.timeout(5):
        while len(order) < 4:
            await asyncio.sleep(0)

    assert order == ["a1", "b1", "a2", "a3"]
