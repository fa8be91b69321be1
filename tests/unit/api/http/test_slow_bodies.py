"""Many bodies that come slowly: few of them begin, and they stand before nobody."""

import asyncio
from typing import Any

from api.http import bodies
from api.http.direct_protocol import ENOUGH_BYTES, DirectProtocol
from api.http.traffic import MANY_BODIES, Traffic, traffic_limits
from shared.settings import Settings
from tests.support.connections import SilentTransport, answer_empty, answer_length, protocol_of


class Begun:
    """An application that reads bodies, as ours frees them, and counts the requests that began."""

    def __init__(self) -> None:
        self.count = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.count += 1
        try:
            await answer_length(scope, receive, send)
        except KeyError:  # the client left
            await answer_empty(scope, receive, send)
        finally:
            bodies.release(scope)


SLOW = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n"


def crowd_of(traffic: Traffic, app: Begun, count: int) -> list[DirectProtocol]:
    """So many connections, each from an address of its own, with a head and a byte of the body."""
    crowd = [protocol_of(traffic, app) for _ in range(count)]
    for number, protocol in enumerate(crowd):
        protocol.connection_made(SilentTransport(f"127.0.1.{number}"))
        protocol.data_received(SLOW + b" ")
    return crowd


async def test_of_many_slow_bodies_only_some_begin_and_a_whole_one_at_once() -> None:
    """Each that has begun costs 25 KB, of which Python gives back little."""
    traffic, app = Traffic(traffic_limits(Settings())), Begun()
    crowd = crowd_of(traffic, app, MANY_BODIES + 40)
    await asyncio.sleep(0)
    assert app.count == MANY_BODIES

    other, transport = protocol_of(traffic, app), SilentTransport("127.0.0.2")
    other.connection_made(transport)
    other.data_received(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab")
    other.data_received(b"cd")
    while b"200 OK" not in transport.written:
        await asyncio.sleep(0)
    assert transport.written.endswith(b"4")

    crowd[-1].data_received(b"a" * ENOUGH_BYTES)
    await asyncio.sleep(0)
    assert app.count == MANY_BODIES + 2
    asking = protocol_of(traffic, app)
    asking.connection_made(SilentTransport("127.0.0.3"))
    asking.data_received(SLOW.replace(b"Host", b"Expect: 100-continue\r\nHost"))
    await asyncio.sleep(0)
    assert app.count == MANY_BODIES + 3


async def test_a_crowd_that_leaves_begins_nothing_and_frees_what_it_held() -> None:
    traffic, app = Traffic(traffic_limits(Settings())), Begun()
    crowd = crowd_of(traffic, app, 3 * MANY_BODIES)
    await asyncio.sleep(0)
    for protocol in reversed(crowd):
        protocol.connection_lost(None)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert app.count <= MANY_BODIES
    assert (len(traffic), traffic.budget.held_bytes) == (0, 0)


async def test_slow_bodies_of_a_crowd_are_ended_some_at_a_time() -> None:
    traffic, app = Traffic(traffic_limits(Settings())), Begun()
    crowd = crowd_of(traffic, app, 3 * MANY_BODIES)
    await asyncio.sleep(0)
    begun = []
    for _ in range(3):
        traffic._look()
        for _ in range(5):
            await asyncio.sleep(0)
        begun.append(app.count)
    assert begun == [MANY_BODIES] * 3  # they have time

    for protocol in crowd:
        protocol._account.waited_s = 1_000.0
    for _ in range(3):
        traffic._look()
        for _ in range(5):
            await asyncio.sleep(0)
        begun.append(app.count)
    assert begun[3:] == [MANY_BODIES, 2 * MANY_BODIES, 3 * MANY_BODIES]
