"""Load on a service over keep-alive connections, by one thread: closed loops, and arrivals at random times (Poisson).

Requests are made beforehand and answers are only cut at their length, so that a request costs the client some 40
microseconds; what the client used is reported beside what it measured.
"""

import asyncio
import itertools
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

import uvloop

_CHECKED_OF = 5  # one answer in so many is kept, to be compared
_CHUNKED = 0  # in place of an answer's length
_LAST_CHUNK = b"0\r\n\r\n"
_DRAIN_S = 20.0  # how long open arrivals wait for what is still to come


@dataclass
class Sample:
    """What one run saw. Seconds; `answers` are places of requests with their bodies, `client_s` processor time.

    `answered` and `failed` count the warm-up too, all else only what lies in the window.
    """

    latencies: list[float] = field(default_factory=list)
    in_window: float = 0.0
    answered: int = 0
    failed: int = 0
    window_s: float = 0.0
    client_s: float = 0.0
    answers: list[tuple[int, bytes]] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Requests that ended well in a second of the window."""
        return self.in_window / self.window_s

    @property
    def answered_share(self) -> float:
        """Of the requests that were sent or due, the share that was answered with a 200."""
        return self.answered / max(1, self.answered + self.failed)


class _Wire(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._needed = -1
        self._done: Callable[[int, bytes], None] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def ask(self, request: bytes, done: Callable[[int, bytes], None]) -> None:
        """Send `request`; `done` gets its status, 0 for a lost connection, and its body."""
        self._done = done
        cast("asyncio.Transport", self._transport).write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._needed < 0 and not self._read_head():
            return
        is_chunked = self._needed == _CHUNKED
        if self._buffer.endswith(_LAST_CHUNK) if is_chunked else len(self._buffer) >= self._needed:
            answer = bytes(self._buffer)
            body = answer[answer.index(b"\r\n\r\n") + 4 :]
            self._buffer.clear()
            self._needed = -1
            self._end(int(answer[9:12]), _joined(body) if is_chunked else body)

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002  as asyncio calls it
        self._transport = None
        self._end(0, b"")

    def close(self) -> None:
        if self._transport is not None:
            self._done = None
            self._transport.close()

    @property
    def is_open(self) -> bool:
        return self._transport is not None

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = bytes(self._buffer[:end]).lower()
        at = head.find(b"content-length:")
        if at < 0:
            self._needed = _CHUNKED
            return True
        self._needed = end + 4 + int(head[at + 15 :].split(b"\r\n", 1)[0])
        return True

    def _end(self, status: int, body: bytes) -> None:
        if self._done is not None:
            done, self._done = self._done, None
            done(status, body)


def _joined(chunks: bytes) -> bytes:
    """A body that came in chunks."""
    parts = []
    while chunks:
        size, _, chunks = chunks.partition(b"\r\n")
        length = int(size.partition(b";")[0], 16)
        parts.append(chunks[:length])
        chunks = chunks[length + 2 :] if length else b""
    return b"".join(parts)


def request_bytes(url: str, path: str, body: bytes) -> bytes:
    """One POST as it goes over the wire."""
    head = f"POST {path} HTTP/1.1\r\nhost: {urlsplit(url).netloc}\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def closed_loop(url: str, requests: Sequence[bytes], clients: int, seconds: float, warm_up_s: float) -> Sample:
    """`clients` that each send the next request when their last is answered. Counted: what ends in the window."""
    return uvloop.run(_closed(url, requests, clients, seconds, warm_up_s))


async def _closed(url: str, requests: Sequence[bytes], clients: int, seconds: float, warm_up_s: float) -> Sample:
    sample = Sample()
    following = itertools.cycle(range(len(requests)))
    wires = [await _connect(url) for _ in range(clients)]
    begin = time.perf_counter() + warm_up_s
    end = begin + seconds
    idle = asyncio.Event()
    running = clients

    def send(wire: _Wire) -> None:
        nonlocal running
        sent = time.perf_counter()
        if sent >= end or not wire.is_open:
            running -= 1
            if not running:
                idle.set()
            return
        place = next(following)

        def done(status: int, body: bytes) -> None:
            now = time.perf_counter()
            # A request counts by the part of its time that lies in the window.
            part = (min(now, end) - max(sent, begin)) / (now - sent)
            _count(sample, part, now - sent, (place, status, body))
            send(wire)

        wire.ask(requests[place], done)

    used = time.process_time()
    for wire in wires:
        send(wire)
    await asyncio.wait_for(idle.wait(), warm_up_s + seconds + 60)
    sample.client_s = time.process_time() - used
    sample.window_s = seconds
    for wire in wires:
        wire.close()
    return sample


def due_times(rate_per_s: float, seconds: float, seed: int) -> list[float]:
    """When requests are due, in seconds after the start: a Poisson process."""
    chance = random.Random(seed)
    times = itertools.accumulate(chance.expovariate(rate_per_s) for _ in itertools.count())
    return list(itertools.takewhile(lambda after: after <= seconds, times))


def open_arrivals(url: str, requests: Sequence[bytes], rate_per_s: float, seconds: float, seed: int) -> Sample:
    """Requests at random times, `rate_per_s` on average, whatever the service does; a latency begins when due."""
    return uvloop.run(_open(url, requests, rate_per_s, seconds, seed))


async def _open(url: str, requests: Sequence[bytes], rate_per_s: float, seconds: float, seed: int) -> Sample:
    sample = Sample(window_s=seconds)
    free: deque[_Wire] = deque()
    wires: list[_Wire] = []
    waiting = 0
    used = time.process_time()
    start = time.perf_counter()

    def send(place: int, due: float, wire: _Wire) -> None:
        def done(status: int, body: bytes) -> None:
            nonlocal waiting
            waiting -= 1
            _count(sample, 1.0, time.perf_counter() - due, (place, status, body))
            if wire.is_open:
                free.append(wire)

        wire.ask(requests[place % len(requests)], done)

    for place, after in enumerate(due_times(rate_per_s, seconds, seed)):
        due = start + after
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        waiting += 1
        if not free:
            # Meanwhile another one may become free.
            wires.append(await _connect(url))
            free.append(wires[-1])
        send(place, due, free.popleft())
    await _drained(lambda: waiting == 0)
    sample.failed += waiting
    sample.client_s = time.process_time() - used
    for wire in wires:
        wire.close()
    return sample


async def _drained(is_done: Callable[[], bool]) -> None:
    """Wait for what is still to come, but not for ever."""
    for _ in range(int(_DRAIN_S * 100)):
        if is_done():
            return
        await asyncio.sleep(0.01)


def _count(sample: Sample, part: float, latency_s: float, answer: tuple[int, int, bytes]) -> None:
    place, status, body = answer
    if status != 200:
        sample.failed += 1
        return
    sample.answered += 1
    if part <= 0:
        return
    sample.in_window += part
    sample.latencies.append(latency_s)
    if len(sample.latencies) % _CHECKED_OF == 1:  # the first of each five: of a few, too, one is kept
        sample.answers.append((place, body))


async def _connect(url: str) -> _Wire:
    host, _, port = urlsplit(url).netloc.rpartition(":")
    _, wire = await asyncio.get_running_loop().create_connection(_Wire, host, int(port))
    return wire
