"""What a connection leaves behind when it ends, and what it reads at once."""

import asyncio
from typing import Any

import pytest
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from api.http import bodies
from api.http.direct import Exchange, ParsedExchange
from api.http.direct_protocol import ENOUGH_BYTES, DirectProtocol, bounded_protocol
from api.http.refusals import HeadLimits
from api.http.traffic import MANY_BODIES, Traffic, traffic_limits
from shared.settings import Settings


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


CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
TINY = b"1\r\na\r\n" * 20_000


@pytest.mark.parametrize("pieces", [[CHUNKED + TINY], [CHUNKED, TINY], [CHUNKED[:40], CHUNKED[40:] + TINY]])
async def test_a_body_of_tiny_chunks_stands_before_nobody_elses_request(pieces: list[bytes]) -> None:
    """Each costs as much as a piece of 64 KiB, and one read from the network holds forty thousand."""
    traffic = Traffic(traffic_limits(Settings()))
    slow, slow_transport = protocol_of(traffic, answer_length), SilentTransport()
    slow.connection_made(slow_transport)
    for piece in pieces:
        slow.data_received(piece)
    assert not slow_transport.reads
    await asyncio.sleep(0)  # the application asks for the body, and so for more of it
    assert not slow_transport.reads

    other, other_transport = protocol_of(traffic), SilentTransport("127.0.0.2")
    other.connection_made(other_transport)
    other.data_received(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    while b"200 OK" not in other_transport.written:
        await asyncio.sleep(0)
    assert not slow_transport.reads

    slow.data_received(b"0\r\n\r\n")
    while b"200 OK" not in slow_transport.written:
        await asyncio.sleep(0)
    assert slow_transport.written.endswith(b"20000")
    assert slow_transport.reads


@pytest.mark.parametrize(
    "head",
    [
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 120000\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1d4c0\r\n",
    ],
)
async def test_a_large_body_in_few_pieces_is_read_at_once(head: bytes) -> None:
    traffic = Traffic(traffic_limits(Settings()))
    protocol, transport = protocol_of(traffic, answer_length), SilentTransport()
    protocol.connection_made(transport)
    protocol.data_received(head + b"a" * 120_000 + (b"\r\n0\r\n\r\n" if b"chunked" in head else b""))
    while b"200 OK" not in transport.written:
        await asyncio.sleep(0)
    assert transport.written.endswith(b"120000")


async def answer_late(_scope: Any, receive: Any, send: Any) -> None:
    """Read the body, and work on it."""
    while (await receive())["more_body"]:
        pass
    await asyncio.sleep(60)


@pytest.mark.parametrize("is_read_ahead", [True, False])
async def test_a_client_that_hangs_up_behind_a_large_body_is_noticed_while_it_is_worked_on(
    *, is_read_ahead: bool
) -> None:
    """Else a job of a million rows would be stored for nobody."""
    traffic = Traffic(traffic_limits(Settings()))
    protocol, transport = protocol_of(traffic, answer_late), SilentTransport()
    protocol.connection_made(transport)
    protocol.data_received(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" + b"a" * 100_000)
    if is_read_ahead:
        await asyncio.sleep(0)
    protocol.data_received(b"a" * 100_000)
    assert transport.reads

    protocol.data_received(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert not transport.reads, "a request that waits for the one before stops reading, as before"
    protocol.connection_lost(None)


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


@pytest.mark.parametrize("broken", [b"zz\r\n", b"FFFFFFFFFFFFFFFFF\r\n", b"1\r\na\r\n0\r\nX: a\x00\r\n\r\n"])
async def test_a_body_in_chunks_that_are_none_is_refused_in_the_one_shape(broken: bytes) -> None:
    traffic = Traffic(traffic_limits(Settings()))
    protocol, transport = protocol_of(traffic, answer_length_to_who_stays), SilentTransport()
    protocol.connection_made(transport)
    protocol.data_received(CHUNKED)
    await asyncio.sleep(0)

    protocol.data_received(broken)
    await asyncio.sleep(0)

    assert transport.written.startswith(b"HTTP/1.1 400 ")
    assert b"HTTP/1.1 200" not in transport.written
    assert b'"code":"bad_request"' in transport.written
    protocol.connection_lost(None)


async def answer_length_to_who_stays(scope: Any, receive: Any, send: Any) -> None:
    try:
        await answer_length(scope, receive, send)
    except KeyError:  # the client left
        await answer_empty(scope, receive, send)


async def test_the_answers_before_a_broken_body_are_sent_and_it_gets_none() -> None:
    traffic = Traffic(traffic_limits(Settings()))
    protocol, transport = protocol_of(traffic, answer_late), SilentTransport()
    protocol.connection_made(transport)
    protocol.data_received(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + CHUNKED + b"zz\r\n")
    await asyncio.sleep(0)
    assert (transport.written, transport.closings) == (b"", 1)
    protocol.connection_lost(None)


HOSTS_SEEN: list[list[bytes]] = []


async def note_host(scope: Any, receive: Any, send: Any) -> None:
    HOSTS_SEEN.append([value for name, value in scope["headers"] if name == b"host"])
    await answer_empty(scope, receive, send)


@pytest.mark.parametrize(
    ("target", "host", "seen"),
    [
        (b"http://a.example/x", b"Host: A.example\r\n", b"A.example"),
        (b"http://a.example/?x", b"", None),
        (b"*", b"Host: b\r\n", b"b"),
        (b"http://evil.example/x", b"Host: a\r\n", None),
        (b"http://a@evil.example", b"Host: a\r\n", None),
    ],
)
async def test_a_target_with_a_host_of_its_own_must_have_that_of_the_header(
    target: bytes, host: bytes, seen: bytes | None
) -> None:
    HOSTS_SEEN.clear()
    protocol, transport = protocol_of(Traffic(traffic_limits(Settings())), note_host), SilentTransport()
    protocol.connection_made(transport)
    protocol.data_received(b"OPTIONS " + target + b" HTTP/1.1\r\n" + host + b"\r\n")
    await asyncio.sleep(0)
    assert ([] if seen is None else [[seen]]) == HOSTS_SEEN
    assert transport.written.startswith(b"HTTP/1.1 400" if seen is None else b"HTTP/1.1 200")
    protocol.connection_lost(None)


async def test_what_is_behind_connect_is_not_read_and_its_connection_ends() -> None:
    protocol, transport = protocol_of(Traffic(traffic_limits(Settings()))), SilentTransport()
    protocol.connection_made(transport)
    protocol.data_received(b"CONNECT /x HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await asyncio.sleep(0)
    assert transport.written.count(b"HTTP/1.1 200") == 1
    assert b"connection: close" in transport.written
    assert transport.closings == 1
    protocol.connection_lost(None)
