"""Who sends the current request, and whether it still listens. Set where a request is authenticated."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import msgspec
from starlette.types import Scope

# Where the protocol puts the connection's presence in the scope of a request.
SCOPE_KEY = "kobert.presence"


class Presence:
    """Whether a client is still connected; calls those who want to know when it is not."""

    __slots__ = ("_callbacks", "is_last", "is_lost")

    def __init__(self) -> None:
        self.is_lost = False
        # The server ends: an answer that can be short must not keep it.
        self.is_last = False
        self._callbacks: set[Callable[[], None]] = set()

    def watch(self, callback: Callable[[], None]) -> None:
        """Call `callback` once the client has hung up. From another thread, look at `is_lost` behind it."""
        self._callbacks.add(callback)

    def forget(self, callback: Callable[[], None]) -> None:
        """Do not call `callback`, if it was to be called."""
        self._callbacks.discard(callback)

    def lose(self) -> None:
        """The client has hung up."""
        self.is_lost = True
        callbacks, self._callbacks = self._callbacks, set()
        for callback in list(callbacks):
            callback()


class Caller(msgspec.Struct, frozen=True, eq=False):
    """Callers share the workers evenly. `name` is a key's owner, or the client's address where there are no keys."""

    name: str = ""
    presence: Presence = msgspec.field(default_factory=Presence)

    @property
    def flow(self) -> int:
        """A number for the workers, who let callers take turns; it tells nobody's name."""
        return hash(self.name) & 0x7FFFFFFF


NOBODY = Caller()
_current: ContextVar[Caller] = ContextVar("caller", default=NOBODY)


def note_caller(scope: Scope, owner: str | None) -> None:
    """Remember who sends this request: `owner`, or else its client's address."""
    client: Any = scope.get("client")
    name = owner or (client[0] if client else "")
    _current.set(Caller(name, scope.get(SCOPE_KEY) or NOBODY.presence))


def current_caller() -> Caller:
    """Who sends the request being served; nobody in particular outside one."""
    return _current.get()
