"""A connection that lets what it receives wait for its address's turn: new requests, and bodies of many chunks."""

import asyncio
from typing import Any

from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from api.http.chunks import SLICE_BYTES, Chunks, HeldFlow, slices_of
from api.http.traffic import Traffic


class InTurnsProtocol(HttpToolsProtocol):
    """Reads HTTP when it is its turn. A subclass keeps the fields that are declared here, and parses."""

    traffic: Traffic
    flow: HeldFlow
    _address: str
    _is_refused: bool
    _is_in_head: bool
    _bytes_without_body: int

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._chunks = Chunks()
        # Requests that the framework answers.
        self._framework_count = 0
        # What came and has to wait for its turn.
        self._waiting_bytes: bytearray | None = None

    def data_received(self, data: bytes) -> None:
        """Take bytes, or let them wait for this address's turn."""
        if self._is_refused:
            self._drain()
            return
        if self._waiting_bytes is not None:
            self._waiting_bytes += data
        elif (self._is_in_head or self._chunks.are_many) and self._waits(data):
            return
        elif self._parse_counting(data):
            self.traffic.turns.note_costly(self._address)
        if self._has_unwanted_rest():
            self._drain()

    def _has_unwanted_rest(self) -> bool:
        """Whether a body is coming whose request is answered already."""
        raise NotImplementedError  # the protocol that this is a part of knows; it is never used alone

    def serve(self) -> bool:
        """Go on with the bytes that waited; returns whether that was, or began, something costly."""
        data, self._waiting_bytes = bytes(self._waiting_bytes or b""), None
        if self._is_refused or self.transport.is_closing():
            return False
        self.flow.let_go()
        return self._parse_counting(data)

    def _drain(self) -> None:
        """Read on when it is this address's turn: what comes is dropped."""
        if not self.transport.is_closing() and not self.flow.is_held:
            self.flow.hold()
            self.traffic.draining.wait(self._address, self._drain_on)

    def _drain_on(self) -> None:
        if not self.transport.is_closing() and self._waiting_bytes is None:
            self.flow.let_go()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Let the framework answer, and count it."""
        self._framework_count += 1
        super()._start_asgi_task(cycle, app)

    def _parse(self, data: bytes) -> None:
        super().data_received(data)

    def _parse_counting(self, data: bytes) -> bool:
        before = self._framework_count
        if len(data) > SLICE_BYTES:
            self._parse_in_slices(data)
        else:
            self._parse(data)
        return self._framework_count > before or self._chunks.are_many

    def _parse_in_slices(self, data: bytes) -> None:
        """Parse what may be thousands of chunks; where they are, what is left waits for its turn."""
        is_head_begun = self._is_in_head and self._bytes_without_body > 0
        done = 0
        for piece in slices_of(data, None if self._is_in_head else self.headers, is_head_begun=is_head_begun):
            if self._is_refused or self.transport.is_closing():
                return
            if done and self._chunks.are_many:
                self.traffic.turns.note_costly(self._address)
                if self._waits(data[done:]):
                    return
            self._parse(piece)
            done += len(piece)

    def _waits(self, data: bytes) -> bool:
        """Whether these bytes wait for this address's turn, and no more are read until then."""
        if not self.traffic.turns.must_wait(self._address, self, len(data)):
            return False
        self._waiting_bytes = bytearray(data)
        self.flow.hold()
        return True
