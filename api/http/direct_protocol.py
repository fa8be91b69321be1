"""Connections of which a `DirectService` answers what it can, and ASGI the rest."""

import asyncio
from typing import Any

from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from api.http.direct import DirectService, Exchange
from api.http.protocol import BoundedProtocol
from api.http.refusals import HeadLimits
from api.http.traffic import Traffic


class DirectProtocol(BoundedProtocol):
    """Hands a request to `direct` once its body is there; `limits` and `traffic` are as its base has them."""

    direct: DirectService

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        # A request that may be answered without the framework, while its body comes.
        self._awaited: Exchange | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Let the framework note that a client left before its body was there."""
        super().connection_lost(exc)
        self._leave_to_framework()

    def on_message_complete(self) -> None:
        """Answer what waited for its body."""
        super().on_message_complete()
        self._answer_directly()

    def _wake_reader(self) -> None:
        super()._wake_reader()
        self._leave_to_framework()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Let the framework answer, unless it need not."""
        # An older request is answered while a newer one waits: one after the other, which direct answers are not.
        if cycle is self.cycle and not self.flow.write_paused:
            self._awaited = self.direct.take(cycle, app)
        if self._awaited is None:
            super()._start_asgi_task(cycle, app)
        elif not cycle.more_body:
            self._answer_directly()

    def _answer_directly(self) -> None:
        exchange, self._awaited = self._awaited, None
        if exchange is not None and (self._account.fault is not None or not self.direct.begin(exchange)):
            super()._start_asgi_task(exchange.cycle, exchange.app)

    def _leave_to_framework(self) -> None:
        """The body does not come as it should."""
        exchange, self._awaited = self._awaited, None
        if exchange is not None:
            super()._start_asgi_task(exchange.cycle, exchange.app)


def bounded_protocol(limits: HeadLimits, traffic: Traffic, direct: DirectService) -> type[DirectProtocol]:
    """The protocol with these limits; uvicorn takes a class."""
    return type("DirectProtocol", (DirectProtocol,), {"limits": limits, "traffic": traffic, "direct": direct})
