"""What a connection leaves behind when it ends, and what it reads at once."""

import asyncio
from typing import Any

import pytest

from api.http.traffic import Traffic, traffic_limits
from shared.settings import Settings
from tests.support.connections import SilentTransport, answer_empty, answer_length, protocol_of


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
