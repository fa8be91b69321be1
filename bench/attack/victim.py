"""Callers who mind their own business: five requests a second each, timed from when each was due.

They are four, each with an address of its own: 200 answers in ten seconds, of which the p99 is the third slowest.
"""

import asyncio
import json
import math
import time
from multiprocessing import Queue
from typing import NamedTuple
from urllib.parse import urlsplit

from bench.attack.target import VICTIMS, request

PER_S = 5
PATIENCE_S = 30.0
BUSY = frozenset((429, 503))


class Seen(NamedTuple):
    """What the victims saw: seconds of each answer, and how often which status came (0: none)."""

    seconds: list[float]
    statuses: dict[int, int]

    def p99_ms(self) -> float:
        """Of the answers that were given, in milliseconds."""
        ordered = sorted(self.seconds)
        return 1000 * ordered[math.ceil(0.99 * len(ordered)) - 1] if ordered else float("inf")

    def share_refused(self) -> float:
        """Honest refusals among all."""
        return sum(self.statuses.get(status, 0) for status in BUSY) / max(1, sum(self.statuses.values()))

    def errors(self) -> int:
        """What is neither an answer nor an honest refusal."""
        return sum(count for status, count in self.statuses.items() if status not in BUSY and not 200 <= status < 300)


def live(url: str, duration_s: float, kind: str, seen: "Queue[Seen]") -> None:
    """Ask for as long, in a process of its own, so that the attackers' work is not in the times."""
    seen.put(asyncio.run(_live(url, duration_s, kind)))


async def _live(url: str, duration_s: float, kind: str) -> Seen:
    parts = urlsplit(url)
    seconds: list[float] = []
    statuses: dict[int, int] = {}

    async def ask(address: str, number: int, due: float) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                status = await _ask(address, str(parts.hostname), int(parts.port or 80), _request(kind, number))
        except (OSError, TimeoutError, ValueError, IndexError):
            status = 0
        statuses[status] = statuses.get(status, 0) + 1
        if 200 <= status < 300:
            seconds.append(time.monotonic() - due)

    began = time.monotonic()
    tasks = []
    for number in range(int(duration_s * PER_S * len(VICTIMS))):
        due = began + number / PER_S / len(VICTIMS)
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        tasks.append(asyncio.create_task(ask(VICTIMS[number % len(VICTIMS)], number // len(VICTIMS), due)))
    await asyncio.gather(*tasks)
    return Seen(seconds, statuses)


def _request(kind: str, number: int) -> bytes:
    if kind == "upload" and number % PER_S == 0:
        return request("/jobs", f"text\n배송이 빨랐어요 {number}\n".encode(), "text/csv")
    return request("/predict", json.dumps({"text": f"오늘 날씨가 참 좋네요 {number}"}).encode())


async def _ask(address: str, host: str, port: int, content: bytes) -> int:
    reader, writer = await asyncio.open_connection(host, port, local_addr=(address, 0))
    try:
        writer.write(content)
        answer = await reader.read()
        return int(answer.split(b" ", 2)[1])
    finally:
        writer.close()
