"""Connections of which a `DirectService` answers what it can, and ASGI the rest."""

import asyncio
from typing import Any

from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from api.http import bodies
from api.http.direct import DirectService, KnownExchange, ParsedExchange
from api.http.known_heads import Head, KnownHeads, head_of
from api.http.protocol import BoundedProtocol
from api.http.refusals import HeadLimits
from api.http.traffic import Traffic

# Of a body, where many others are still to come: with so much the framework begins. Clients that are not slow send it
# at once, and are then refused, if they are, before they have sent the rest.
ENOUGH_BYTES = 16 * 1024


class DirectProtocol(BoundedProtocol):
    """Hands a request to `direct` once its body is there; `limits` and `traffic` are as its base has them.

    One that came in one piece, and whose head is among `heads`, is not even parsed.
    """

    direct: DirectService
    heads: KnownHeads

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        # A request that may be answered without the framework, while its body comes.
        self._awaited: ParsedExchange | None = None
        # One that is the framework's, and begins there with more of its body.
        self._held: tuple[RequestResponseCycle, ASGI3Application] | None = None
        # The head that `direct` took last of the bytes that are being parsed.
        self._taken: Head | None = None
        # Since when nothing is left to do, after a request that was not parsed; the other ones have uvicorn's timer.
        self._rested_at: float | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Let the framework note that a client left before its body was there; not if a crowd of them leaves."""
        super().connection_lost(exc)
        if self._held is not None and self.traffic.has_many_bodies():
            bodies.release(self._held[0].scope)
            self._held = None
        self._leave_to_framework()

    def check(self, now: float, elapsed_s: float) -> None:
        """End the connection when its client takes too long, or asks no more."""
        if self._rested_at is not None and now - self._rested_at > self.traffic.limits.keep_alive_s:
            self.close_unless_unread()
        super().check(now, elapsed_s)

    def on_message_begin(self) -> None:
        """Count anew."""
        self._rested_at = None
        super().on_message_begin()

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body; with enough of it the framework begins."""
        super().on_body(body)
        if self._held is not None and self._account.received_bytes >= ENOUGH_BYTES:
            self._begin_held()

    def on_message_complete(self) -> None:
        """Answer what waited for its body."""
        super().on_message_complete()
        self._begin_held()
        self._answer_directly()

    def _let_go(self) -> None:
        super()._let_go()
        if isinstance(self.cycle, KnownExchange):
            self.cycle.detach()

    def _parse(self, data: bytes) -> None:
        """Answer a request that is like one before, and parse all others."""
        raw = head_of(data) if self._is_between_requests() else b""
        if raw and self._answer_known(raw, data):
            return
        self._taken = None
        super()._parse(data)
        taken = self._taken
        # So these bytes were this one head and its body, and the parser stands behind them.
        if raw and taken is not None and len(data) == len(raw) + taken.length and self._account.is_complete:
            self.heads.remember(raw, taken)

    def _is_between_requests(self) -> bool:
        is_at_start = self._is_in_head and self._head_began_at is None and not self._bytes_without_body
        return is_at_start and self._is_answered() and not self.flow.write_paused

    def _answer_known(self, raw: bytes, data: bytes) -> bool:
        """Answer a request without the parser; False if its head is not known, or it is the framework's after all."""
        head = self.heads.find(raw)
        if head is None or len(data) != len(raw) + head.length:
            return False
        exchange = KnownExchange(
            head, data[len(raw) :], self._address, self._presence, self.server_state.default_headers
        )
        exchange.keep_alive = exchange.keep_alive and not self.traffic.is_ending
        exchange.begin_on(self.transport, self._end_known)
        before = self.cycle, self._answered
        self.cycle = self._answered = exchange  # type: ignore[assignment]  # has what is asked of a cycle
        self.traffic.takes(self)
        self._chunks.restart()
        self._opened_at = self._rested_at = None
        self._unset_keepalive_if_required()
        if not self.direct.begin(exchange):
            exchange.detach()
            self.cycle, self._answered = before
            return False
        return True

    def _takes_interim(self) -> bool:
        answered = self._answered
        return not answered.head.is_old if isinstance(answered, KnownExchange) else super()._takes_interim()

    def _end_known(self) -> None:
        """Go on behind the answer."""
        if self.pipeline or self.flow.read_paused:
            self.on_response_complete()
            return
        self.server_state.total_requests += 1
        if not self.transport.is_closing():
            if self._head_began_at is None:
                self._rested_at = self.loop.time()
            self._note_rest()

    def _wake_reader(self) -> None:
        super()._wake_reader()
        self._leave_to_framework()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Let the framework answer, unless it need not."""
        # An older request is answered while a newer one waits: one after the other, which direct answers are not.
        if cycle is self.cycle and not self.flow.write_paused:
            self._awaited = self.direct.take(cycle, app)
        if self._awaited is not None and self._awaited.head.is_lasting:
            self._taken = self._awaited.head
            self._taken.is_last = not cycle.keep_alive
            self._taken.is_old = cycle.scope["http_version"] == "1.0"
        if self._awaited is None and self._is_one_of_many_bodies(cycle):
            self._held = cycle, app
        elif self._awaited is None:
            super()._start_asgi_task(cycle, app)
        elif not cycle.more_body:
            self._answer_directly()

    def _answer_directly(self) -> None:
        exchange, self._awaited = self._awaited, None
        if exchange is not None and (self._account.fault is not None or not self.direct.begin(exchange)):
            super()._start_asgi_task(exchange.cycle, exchange.app)

    def _is_one_of_many_bodies(self, cycle: RequestResponseCycle) -> bool:
        """Whether its body is still to come by itself, and those of many others are: each begun costs 25 KB."""
        is_coming = cycle is self.cycle and cycle.more_body and not cycle.waiting_for_100_continue
        return is_coming and self.traffic.has_many_bodies()

    def _begin_held(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            super()._start_asgi_task(*held)

    def _leave_to_framework(self) -> None:
        """The body does not come as it should."""
        self._begin_held()
        exchange, self._awaited = self._awaited, None
        if exchange is not None:
            super()._start_asgi_task(exchange.cycle, exchange.app)


def bounded_protocol(limits: HeadLimits, traffic: Traffic, direct: DirectService) -> type[DirectProtocol]:
    """The protocol with these limits; uvicorn takes a class."""
    members = {"limits": limits, "traffic": traffic, "direct": direct, "heads": KnownHeads()}
    return type("DirectProtocol", (DirectProtocol,), members)
