"""One delivery to receivers that behave well, badly, or not at all: real sockets."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from api.jobs.webhook_delivery import deliver
from api.jobs.webhook_target import DeliveryError, WebhookTarget, resolve_webhook
from shared.settings import Settings

SETTINGS = Settings(webhook_allow_private=True, webhook_timeout_s=20)
IMPATIENT = SETTINGS.model_copy(update={"webhook_timeout_s": 0.3})
BODY = '{"글": 1}'.encode()

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def receiver(answer: Answer, received: list[bytes] | None = None) -> AsyncIterator[str]:
    """Its URL; it reads one request and then answers."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(len(BODY))
        if received is not None:
            received.append(head + body)
        try:
            await answer(writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook?board=1"
    finally:
        server.close()


def saying(answer: bytes) -> Answer:
    async def say(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    return say


async def send(url: str, settings: Settings = SETTINGS) -> int:
    @asynccontextmanager
    async def reach(wanted: str) -> AsyncIterator[WebhookTarget]:
        yield resolve_webhook(wanted, settings)

    return await deliver(url, BODY, {"webhook-id": "job_1"}, settings.webhook_timeout_s, reach)


async def test_the_receiver_gets_the_whole_request() -> None:
    received: list[bytes] = []
    async with receiver(saying(b"HTTP/1.1 204 No Content\r\n\r\n"), received) as url:
        assert await send(url) == 204

    head, _, body = received[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /hook?board=1 HTTP/1.1"
    assert {f"Host: {url.split('/')[2]}", "Content-Length: 10", "webhook-id: job_1"} <= set(lines)
    assert body == BODY


async def test_an_early_hint_is_not_the_answer() -> None:
    async with receiver(saying(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")) as url:
        assert await send(url) == 200


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 500 Oh\r\n\r\n", "answered with status 500"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\n\r\n", "answered with status 302"),
        (b"", "connection failed"),
        (b"SSH-2.0-OpenSSH\r\n", "connection failed"),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 20_000, "connection failed"),
    ],
)
async def test_any_other_answer_is_a_failure_that_has_a_reason(answer: bytes, reason: str) -> None:
    async with receiver(saying(answer)) as url:
        with pytest.raises(DeliveryError, match=reason):
            await send(url)


async def test_a_receiver_that_trickles_is_left_at_the_deadline() -> None:
    async def trickle(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"a: b\r\n")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with receiver(trickle) as url:
        with pytest.raises(DeliveryError, match=r"no answer within 0\.3 s"):
            await send(url, IMPATIENT)


async def test_nobody_there_and_an_address_that_is_not_allowed_have_their_reasons() -> None:
    async with receiver(saying(b"")) as url:
        pass
    with pytest.raises(DeliveryError, match="connection failed"):
        await send(url)
    with pytest.raises(DeliveryError, match="no longer allowed"):
        await send(url, Settings())


@pytest.mark.parametrize(
    "line",
    [b"HTTP/1.1 100 \r\n\r\n", b"HTTP/1.1 103 \r\nLink: </a>\r\n\r\n", b"X: a\r\n", b"\r\n", b"X" * 17],
)
async def test_an_answer_whose_head_never_ends_is_left_long_before_the_deadline(line: bytes) -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        if line.startswith(b"X"):
            writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(line * 1_000)
            await writer.drain()

    async with asyncio.timeout(10), receiver(answer) as url:
        with pytest.raises(DeliveryError, match="the connection failed"):
            await send(url)


async def test_a_body_without_end_is_not_read() -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
        while True:
            writer.write(b"a" * 65_536)
            await writer.drain()

    async with asyncio.timeout(10), receiver(answer) as url:
        assert await send(url) == 200
