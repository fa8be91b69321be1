"""Concurrent HTTP clients that cost little themselves: on two cores a comfortable one would be most of the load."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from typing import Self
from urllib.parse import urlsplit

TOO_MANY_REQUESTS = 429
REFUSED_PAUSE_S = 0.1


class Connection:
    """One keep-alive connection that posts JSON and reads the answer's body."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = str(parts.hostname), int(parts.port or 80)

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        await self._writer.wait_closed()

    async def post(self, path: str, body: object) -> tuple[int, bytes]:
        """Status and body of the answer."""
        content = json.dumps(body).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nhost: {self._host}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
        )
        self._writer.write(head.encode() + content)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        status = int(answer.split(b" ", 2)[1])
        length = next(int(line[15:]) for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        return status, await self._reader.readexactly(length)


async def predict_all(url: str, batches: Iterable[Sequence[str]], clients: int) -> None:
    """Send each batch of texts in a request of its own, from `clients` at once; a batch of one as `text`.

    What a busy service refuses is sent again a moment later: how much it takes at once depends on its speed.
    """
    waiting = iter(batches)

    async def work() -> None:
        async with Connection(url) as connection:
            for batch in waiting:
                body = {"text": batch[0]} if len(batch) == 1 else {"texts": list(batch)}
                status, answer = await connection.post("/predict", body)
                while status == TOO_MANY_REQUESTS:
                    await asyncio.sleep(REFUSED_PAUSE_S)
                    status, answer = await connection.post("/predict", body)
                if status != 200:
                    raise RuntimeError(f"{status}: {answer.decode()}")

    await asyncio.gather(*(work() for _ in range(clients)))
