"""A request whose head came before is answered without the parser, and as the parser's are."""

import asyncio
import gc
import weakref
from typing import Any

import pytest
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from api.http.direct import Exchange, KnownExchange, ParsedExchange
from api.http.direct_protocol import DirectProtocol, bounded_protocol
from api.http.known_heads import MAX_HEAD_BYTES, MAX_HEADS, Head, KnownHeads, head_of
from api.http.refusals import HeadLimits
from api.http.traffic import Traffic, traffic_limits
from shared.settings import Settings
from tests.support.connections import SilentTransport, answer_empty

FRAMEWORKS = b"not plain"


class Later:
    """Takes every request, and answers when it is told to; one whose body is `FRAMEWORKS` it leaves."""

    def __init__(self) -> None:
        self.begun: list[Exchange] = []
        self.left = 0

    def take(self, cycle: RequestResponseCycle, app: Any) -> ParsedExchange | None:
        headers = dict(cycle.scope["headers"])
        head = Head(headers, int(headers.get(b"content-length", b"0")), is_lasting=b"x-forwarded-for" not in headers)
        return ParsedExchange(cycle, app, head, "127.0.0.1")

    def begin(self, exchange: Exchange) -> bool:
        if exchange.body == FRAMEWORKS:
            self.left += 1
            return False
        self.begun.append(exchange)
        return True

    def end_all(self) -> list[bool]:
        """Answer with the body that came; returns for each whether its head was known."""
        begun, self.begun = self.begun, []
        for exchange in begun:
            exchange.answer(200, b"x-own: 1\r\n", bytes(exchange.body))
        return [isinstance(exchange, KnownExchange) for exchange in begun]


class Wire:
    """A connection, and what came back over it."""

    def __init__(self, service: Later, *, beside: "Wire | None" = None, **settings: Any) -> None:
        self.traffic: Traffic = beside.traffic if beside else Traffic(traffic_limits(Settings(**settings)))
        config = Config(answer_empty, timeout_keep_alive=60)
        config.load()
        kind = bounded_protocol(HeadLimits(8_000, 50), self.traffic, service) if beside is None else beside.kind
        self.kind: type[DirectProtocol] = kind
        self.state = ServerState()
        self.protocol = kind(config, self.state, {})
        self.transport = SilentTransport()
        self.protocol.connection_made(self.transport)

    def send(self, data: bytes) -> None:
        self.protocol.data_received(data)

    def read(self) -> bytes:
        written, self.transport.written = self.transport.written, b""
        return written


def request(body: bytes, headers: bytes = b"") -> bytes:
    return b"POST /predict HTTP/1.1\r\nhost: a\r\n%bcontent-length: %d\r\n\r\n%b" % (headers, len(body), body)


@pytest.fixture
def service() -> Later:
    return Later()


async def test_a_head_that_came_before_is_answered_as_the_first_was(service: Later) -> None:
    wire = Wire(service)
    wire.send(request(b"one"))
    first = service.end_all(), wire.read()
    wire.send(request(b"two"))
    second = service.end_all(), wire.read()

    assert (first[0], second[0]) == ([False], [True])
    assert first[1].replace(b"one", b"two") == second[1]
    assert wire.state.total_requests == 2


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(request(b"longer"), id="another length"),
        pytest.param(request(b"two", b"x-a: 1\r\n"), id="another header"),
        pytest.param(request(b"two").replace(b"host", b"HOST"), id="written in another way"),
    ],
)
async def test_any_other_head_is_parsed(service: Later, data: bytes) -> None:
    wire = Wire(service)
    wire.send(request(b"one"))
    service.end_all()
    wire.send(data)

    assert service.end_all() == [False]


@pytest.mark.parametrize(
    "data",
    [request(b"one", b"connection: close\r\n"), request(b"one").replace(b"HTTP/1.1", b"HTTP/1.0")],
    ids=["connection: close", "HTTP/1.0"],
)
async def test_a_known_head_that_ends_its_connection_ends_each_one(service: Later, data: bytes) -> None:
    first = Wire(service)
    wires = [first, Wire(service, beside=first), Wire(service, beside=first)]
    answers = []
    for wire, is_known in zip(wires, (False, True, True), strict=True):
        wire.send(data)
        assert service.end_all() == [is_known]
        answers.append(wire.read())
        assert wire.transport.closings == 1
        assert wire.state.total_requests == 1
    assert len(set(answers)) == 1
    assert b"connection: close" in answers[0]


async def test_what_comes_behind_a_known_head_that_ends_its_connection_is_not_answered(service: Later) -> None:
    data = request(b"one", b"connection: close\r\n")
    first = Wire(service)
    first.send(data)
    service.end_all()
    wire = Wire(service, beside=first)
    wire.transport.is_closing = lambda: wire.transport.closings > 0  # type: ignore[method-assign]
    wire.send(data)
    wire.send(request(b"two"))
    service.end_all()
    await asyncio.sleep(0)
    wire.protocol.connection_lost(None)

    assert service.end_all() == []
    assert wire.read().count(b"HTTP/1.1 ") == 1
    assert wire.traffic.pipelined_count == 0


@pytest.mark.parametrize("header", [b"x-forwarded-for: 9.9.9.9\r\n", b"x: " + b"y" * 3000 + b"\r\n"])
async def test_what_is_not_lasting_or_is_long_is_parsed_each_time(service: Later, header: bytes) -> None:
    first = Wire(service)
    for wire in (first, Wire(service, beside=first)):
        wire.send(request(b"one", header))
        assert service.end_all() == [False]


async def test_a_head_is_known_on_every_connection(service: Later) -> None:
    first = Wire(service)
    first.send(request(b"one"))
    service.end_all()
    Wire(service, beside=first).send(request(b"two"))

    assert service.end_all() == [True]


async def test_a_known_head_in_pieces_or_with_more_behind_it_is_parsed(service: Later) -> None:
    wire = Wire(service)
    wire.send(request(b"one"))
    service.end_all()
    whole = request(b"two")

    wire.send(whole[:30])
    wire.send(whole[30:])
    assert service.end_all() == [False]
    wire.send(whole + request(b"end"))
    service.end_all()
    service.end_all()
    assert wire.read().count(b"HTTP/1.1 200 OK") == 4
    wire.send(whole)
    assert service.end_all() == [True]


async def test_what_is_the_frameworks_after_all_is_asked_of_it_once(service: Later) -> None:
    wire = Wire(service)
    wire.send(request(b"987654321"))
    service.end_all()
    wire.read()
    wire.send(request(FRAMEWORKS))
    while b"200 OK" not in wire.transport.written:
        await asyncio.sleep(0)

    assert b"x-own" not in wire.read()
    wire.send(request(b"123456789"))
    assert service.end_all() == [True]


async def test_requests_ahead_of_an_answer_wait_for_it(service: Later) -> None:
    wire = Wire(service)
    wire.send(request(b"one"))
    service.end_all()
    wire.read()

    wire.send(request(b"two"))
    wire.send(request(b"3rd"))
    wire.send(request(b"4th"))
    assert [bytes(exchange.body) for exchange in service.begun] == [b"two"]
    while wire.transport.written.count(b"HTTP/1.1 200 OK") < 3:
        service.end_all()
        await asyncio.sleep(0)
    answers = wire.read()
    # The framework's has no body: it answers what has others behind it.
    assert answers.index(b"two") < answers.index(b"content-length: 0") < answers.index(b"4th")
    assert wire.traffic.pipelined_count == 0


async def test_a_client_that_leaves_gets_nothing_and_keeps_nothing(service: Later) -> None:
    gc.collect()
    gc.disable()
    try:
        wire = Wire(service)
        wire.send(request(b"one"))
        service.end_all()
        wire.send(request(b"two"))
        exchange, gone = service.begun[0], weakref.ref(wire.protocol)
        transport = wire.transport
        wire.read()

        wire.protocol.connection_lost(ConnectionResetError())
        exchange.answer(200, b"", b"")
        del wire

        assert exchange.presence.is_lost
        assert (transport.written, gone()) == (b"", None)
    finally:
        gc.enable()


async def test_a_connection_that_asks_no_more_is_closed_and_one_that_waits_for_its_answer_is_not(
    service: Later,
) -> None:
    wire = Wire(service, keep_alive_s=5)
    wire.send(request(b"one"))
    service.end_all()
    wire.send(request(b"two"))
    now = wire.protocol.loop.time()

    wire.protocol.check(now + 60, 1)
    assert wire.transport.closings == 0
    service.end_all()
    wire.protocol.check(now + 4, 1)
    assert wire.transport.closings == 0
    wire.protocol.check(now + 60, 1)
    assert wire.transport.closings == 1


async def test_a_server_that_ends_lets_the_answer_go_out_first(service: Later) -> None:
    wire = Wire(service)
    wire.send(request(b"one"))
    service.end_all()
    wire.read()
    wire.send(request(b"two"))

    wire.protocol.shutdown()
    assert wire.transport.closings == 0
    service.end_all()
    assert b"connection: close\r\n" in wire.read()
    assert wire.transport.closings == 1


def test_the_oldest_heads_are_forgotten_and_long_ones_not_kept() -> None:
    heads = KnownHeads()
    for number in range(MAX_HEADS + 3):
        heads.remember(b"%d" % number, Head({}, 0, is_lasting=True))
    heads.remember(b"x" * (MAX_HEAD_BYTES + 1), Head({}, 0, is_lasting=True))

    assert len(heads) == MAX_HEADS
    assert [heads.find(b"%d" % number) is None for number in range(5)] == [True, True, True, False, False]


def test_a_head_ends_with_its_first_empty_line() -> None:
    assert head_of(b"GET / HTTP/1.1\r\na: b\r\n\r\nbody\r\n\r\n") == b"GET / HTTP/1.1\r\na: b\r\n\r\n"
    assert head_of(b"GET / HTTP/1.1\r\na: b\r\n") == b""


async def test_a_request_that_began_before_the_last_answer_is_not_ended_as_an_idle_connection(service: Later) -> None:
    """It may be a stream of events, which lasts for longer than a connection may be idle."""
    wire = Wire(service, keep_alive_s=5)
    wire.send(request(b"one"))
    service.end_all()
    wire.send(request(b"two"))
    third = request(b"3rd")
    wire.send(third[:20])
    service.end_all()
    wire.send(third[20:])
    now = wire.protocol.loop.time()

    wire.protocol.check(now + 60, 1)

    assert wire.transport.closings == 0
    assert len(service.begun) == 1
