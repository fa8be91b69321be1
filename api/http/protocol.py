"""HTTP/1.1 as uvicorn and httptools read it, with bounds on what a client may send and on how long it may take.

httptools puts a header together piece by piece and uvicorn keeps every one, both before anybody has looked at a key: a
header of 100 MB would take seconds of the event loop, and many small ones the memory of the process. uvicorn waits
without end for the rest of a head, for a body, and for a client that does not read its answer.
"""

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from api.http import bodies
from api.http.bodies import BodyAccount
from api.http.caller import SCOPE_KEY, Presence
from api.http.chunks import HeldFlow
from api.http.closing import ClosingTransport
from api.http.ending import EndingProtocol
from api.http.head_check import HeadCheck, RefusedHeadError
from api.http.offers import without_offer
from api.http.refusals import HEADERS_TOO_LARGE, TOO_MANY, TOO_SLOW, URL_TOO_LONG, HeadLimits, answer
from api.http.send_stall import SendStall
from api.http.traffic import Traffic
from api.http.unread import has_unread_bytes

# How long what a refused client goes on sending is read and dropped: closed at once, it would not see the answer.
LINGER_S = 2.0
# Requests that wait for the answer to the one before them, on one connection and on all. Clients that send so are rare,
# and one piece of the network can hold ten thousand.
MAX_AHEAD, MAX_AHEAD_IN_ALL = 128, 1_000


class BoundedProtocol(EndingProtocol):
    """Refuses a request head that is too large with 431, or 414 where it is the address, and closes the connection.

    Refuses with 408 what does not come in time. `traffic` knows all connections, and calls `check` every second.
    """

    limits: HeadLimits
    traffic: Traffic

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._presence = Presence()
        self._is_in_head = True
        # Since the head began, or since the last byte of a body.
        self._bytes_without_body = 0
        self._head = HeadCheck(self.limits.max_headers)
        self._is_refused = False
        # What the client is told once the requests before it are answered.
        self._refusal_due: int | None = None
        self._address = ""
        self._account = BodyAccount(self.traffic.budget, self._wake_reader)
        self._account.is_complete = True
        # The request that is being answered; `cycle` is the newest, which may wait behind it.
        self._answered: RequestResponseCycle | None = None
        # Times of the event loop's clock; None: it is not so.
        self._opened_at: float | None = self.loop.time()
        self._head_began_at: float | None = None
        self._rest_began_at = self.loop.time()
        self._send_stall = SendStall()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Take the connection if there is room for it."""
        self.take_over(transport, self.loop.time())
        if not self.traffic.opened(self):
            self.refuse_connection()
            if self.traffic.is_flooded():
                transport.abort()

    def take_over(self, transport: asyncio.Transport, opened_at: float) -> None:
        """Go on with a connection that the traffic knows since `opened_at`, on the event loop's clock."""
        super().connection_made(transport)
        self.flow = HeldFlow(transport)
        self._address = self.client[0] if self.client else ""
        self._opened_at = opened_at

    def refuse_connection(self) -> None:
        """Answer that the server has no room for this connection."""
        self._refuse(TOO_MANY)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection, and tell whoever works for this client."""
        super().connection_lost(exc)
        # uvicorn does so only where the client has closed in order; after a reset the timer would keep everything.
        self._unset_keepalive_if_required()
        self._presence.lose()
        self.traffic.closed(self)
        if self._answered is not None:
            # uvicorn tells the newest alone, and an older one would go on for nobody.
            self._answered.disconnected = True
            self._answered.message_event.set()
        self.traffic.pipelined_count -= len(self.pipeline)
        while self.pipeline:
            bodies.release(self.pipeline.pop()[0].scope)
        self._let_go()

    def _let_go(self) -> None:
        """Keep nothing that keeps this connection: what ends by itself is gone at once, and not at a later collection.

        The memory of thousands that wait for one would be in use by then, and little of it can be given back.
        """
        self._account.detach()
        for cycle in (self.cycle, self._answered):
            if cycle is not None:
                cycle.transport = self.transport

    def _parse(self, data: bytes) -> None:
        """Parse no more of a head than it may have, and say so."""
        if self._is_in_head:
            data = without_offer(data)
        room = max(1, self.limits.max_bytes - self._bytes_without_body) if self._is_in_head else len(data)
        for piece in (data[:room], data[room:]):
            if not piece or self._is_refused:
                return
            self._bytes_without_body += len(piece)
            super()._parse(piece)
            if self._bytes_without_body >= self.limits.max_bytes and not self._is_refused:
                self._refuse(HEADERS_TOO_LARGE if self.headers or not self._is_in_head else URL_TOO_LONG)

    def on_message_begin(self) -> None:
        """Count anew, and let the request know of its connection."""
        super().on_message_begin()
        self._head.begin()
        self._head_began_at = self.loop.time()
        self._opened_at = None
        self.scope[SCOPE_KEY] = self._presence  # type: ignore[literal-required]

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep one header; what comes behind a body is none of the request's."""
        self._head.take(name, value)
        if self._is_in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Hand the request over, with an account for its body."""
        self._is_in_head = False
        self._head_began_at = None
        self._bytes_without_body = 0
        version = self.parser.get_http_version()
        if (host := self._head.check_whole(version, self.url)) is not None:
            self.headers.append((b"host", host))
        # One of HTTP/1.0 knows no answer before the answer (RFC 9110, 10.1.1).
        self.expect_100_continue = self.expect_100_continue and version != "1.0"
        self._chunks.restart()
        self._account = BodyAccount(self.traffic.budget, self._wake_reader)
        bodies.attach(self.scope["state"], self._account)
        waiting = len(self.pipeline)
        super().on_headers_complete()
        self.cycle.transport = ClosingTransport(self.transport, self.close)
        self.cycle.keep_alive = self.cycle.keep_alive and not self.traffic.is_ending
        self.traffic.receives(self)
        if len(self.pipeline) == waiting:
            self._answered = self.cycle
            return
        self.traffic.pipelined_count += 1
        if len(self.pipeline) > MAX_AHEAD or self.traffic.pipelined_count > MAX_AHEAD_IN_ALL:
            self.abort()
            raise RefusedHeadError

    def _unsupported_upgrade_warning(self) -> None:
        """End the connection with the answer: what is behind CONNECT is no HTTP."""
        self.cycle.keep_alive = False
        self._is_refused = True

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body while the budget allows it."""
        self._bytes_without_body = 0
        self._chunks.note(len(body))
        if self.cycle.response_complete:
            return
        self._account.take(len(body))
        if self._account.fault is None:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Wait for the next head."""
        super().on_message_complete()
        self._account.is_complete = True
        if self._answered is self.cycle:
            # A large body stopped it, and the end of the connection would not be seen before there is an answer.
            self.flow.resume_reading()
        self.traffic.works(self)
        self._is_in_head = True
        self._bytes_without_body = 0
        self._note_rest()

    def on_response_complete(self) -> None:
        """Go on with the next request; after a body that was refused there is none."""
        waiting = self.pipeline[-1][0] if self.pipeline else None
        super().on_response_complete()
        if waiting is not None and (not self.pipeline or self.pipeline[-1][0] is not waiting):
            self.traffic.pipelined_count -= 1
            self._answered = waiting
        if self._account.fault is not None and not self._account.is_complete:
            self._linger()
        self._note_rest()

    def pause_writing(self) -> None:
        """Note that the client does not read what it is sent."""
        super().pause_writing()
        self._send_stall.begin(self.loop.time())

    def resume_writing(self) -> None:
        """Note that it does."""
        super().resume_writing()
        self._send_stall.end()

    def check(self, now: float, elapsed_s: float) -> None:
        """End the connection when its client takes too long."""
        limits = self.traffic.limits
        if self._send_stall.is_overdue(self.transport, now, limits.send_stall_s):
            self.abort()
        elif self._is_refused:
            return
        elif self._opened_at is not None:
            if now - self._opened_at > limits.keep_alive_s:
                self.close_unless_unread()
        elif self._head_began_at is not None:
            if self._is_answered() and now - self._head_began_at > limits.header_timeout_s:
                self._refuse(TOO_SLOW)
        elif not self._account.is_complete:
            self._check_body(elapsed_s)

    def abort(self) -> None:
        """Close the connection at once, whatever is still to be sent."""
        self._is_refused = True
        self.transport.abort()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  uvicorn's words, not ours
        """Answer what is no HTTP, or is refused by its head."""
        self._refuse(self._head.status)

    def _refuse(self, status: int) -> None:
        """Say so, behind the answers to the requests that came before, and close the connection."""
        if not self._is_answered():
            self._is_refused = True
            if self._account.is_complete:
                self._refusal_due = status
                return
            # It is the body of the newest request that is at fault.
            if self.cycle is not self._answered or self.cycle.response_started:
                self.transport.close()
                return
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.write(answer(status, self.limits))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._linger()

    def close(self) -> None:
        """Close the connection after an answer; a client that is still sending must be able to read it first."""
        if self._account.is_complete and not has_unread_bytes(self.transport):
            self.transport.close()
            return
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._linger()

    def _has_unwanted_rest(self) -> bool:
        return not self._account.is_complete and self.cycle is not None and self.cycle.response_complete

    def _is_answered(self) -> bool:
        """Whether no request waits for its answer."""
        return self.cycle is None or self.cycle.response_complete

    def _has_whole_request(self) -> bool:
        """Whether the newest request has its whole body, or what is behind it will be refused."""
        return self._account.is_complete and (not self._is_refused or self._refusal_due is not None)

    def _note_rest(self) -> None:
        """Tell the traffic when nothing is left to do; the time for the next head counts from now."""
        if self._is_answered() and self._account.is_complete:
            self.traffic.rests(self)
            self._rest_began_at = self.loop.time()
            if self._head_began_at is not None:
                self._head_began_at = self._rest_began_at
            self._refuse_if_due()
            if self.traffic.is_ending:
                self._end_later()

    def _refuse_if_due(self) -> None:
        status, self._refusal_due = self._refusal_due, None
        if status is not None and not self.transport.is_closing():
            self._refuse(status)

    def _linger(self) -> None:
        self._is_refused = True
        self.loop.call_later(LINGER_S, self.transport.abort)

    def _check_body(self, elapsed_s: float) -> None:
        """Count the time in which it is the client that everybody waits for; its answer may already be sent."""
        if self.flow.read_paused or self.cycle.waiting_for_100_continue:
            return
        self._account.waited_s += elapsed_s
        if not self.traffic.may_end_body():
            return
        was_good = self._account.fault is None
        self._account.check_pace(self.traffic.limits.bodies)
        if self._account.fault is None:
            return
        if was_good:
            self.traffic.note_ended_body()
        if self.cycle.response_complete:
            self.abort()

    def _wake_reader(self) -> None:
        self.cycle.body = bytearray()
        self.cycle.message_event.set()
