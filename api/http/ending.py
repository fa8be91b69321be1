"""A connection that ends: nothing that its client has sent by then is lost, whoever it is that ends it.

A client of HTTP/1.1 that keeps a connection may send on it just as the server closes it, and then gets no answer. So a
server that ends goes on for a moment after the last answer, and says in the next one that it was the last.
"""

from api.http.bodies import BodyAccount
from api.http.caller import Presence
from api.http.half_closed import HalfClosedProtocol
from api.http.traffic import LAST_REQUEST_S, TICK_S
from api.http.unread import has_unread_bytes


class EndingProtocol(HalfClosedProtocol):
    """Closes connections. A subclass keeps the fields that are declared here, and answers."""

    _presence: Presence
    _account: BodyAccount
    # Times of the event loop's clock.
    _head_began_at: float | None
    _rest_began_at: float

    def shutdown(self) -> None:
        """The server ends: answer what has come and what comes soon, say so in the answer, and close the connection."""
        self._presence.is_last = True
        if self._is_answered():
            self._end_later()
        elif self._waiting_bytes is None and self._head_began_at is None and not self.cycle.response_started:
            self.cycle.keep_alive = False

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection on which nothing came, not even a moment ago."""
        if has_unread_bytes(self.transport):
            self.timeout_keep_alive_task = self.loop.call_later(TICK_S, self.timeout_keep_alive_handler)
        else:
            super().timeout_keep_alive_handler()

    def close_unless_unread(self) -> None:
        """Close the connection, unless a request waits to be read."""
        if not has_unread_bytes(self.transport):
            self.transport.close()

    def _end_later(self) -> None:
        """End a connection of a server that ends, once nothing has come for a moment after the last answer."""
        if not self.transport.is_closing():
            self.loop.call_at(self._rest_began_at + LAST_REQUEST_S, self._end_at_rest)

    def _end_at_rest(self) -> None:
        is_at_rest = self._waiting_bytes is None and self._head_began_at is None and self._account.is_complete
        if self.transport.is_closing() or not (is_at_rest and self._is_answered()):
            return
        if has_unread_bytes(self.transport):
            self.loop.call_later(LAST_REQUEST_S, self._end_at_rest)
        else:
            self.transport.close()
