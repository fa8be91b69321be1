"""Counts clients that stay for long, so that they cannot become any number, nor one of them take every place."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from api.access.keyring import Keyring
from api.http.request_record import current_record
from shared.errors import OverloadedError, RateLimitedError

RETRY_AFTER_S = 5


@dataclass(frozen=True)
class PlaceKind:
    """`count` places for clients who do `what`; `setting` is what an operator would raise."""

    count: int
    what: str
    setting: str


class Places:
    """Places of one kind. Where there are several keys, one holds no more of them than it leaves free for others."""

    def __init__(self, kind: PlaceKind, keyring: Keyring) -> None:
        self._kind = kind
        self._keyring = keyring
        self._taken: Counter[str] = Counter()

    @property
    def taken(self) -> int:
        """How many are taken."""
        return self._taken.total()

    def require_room(self, owner: str) -> None:
        """Check that there is a place for `owner`.

        Raises:
            OverloadedError: all are taken.
            RateLimitedError: the owner has as many as are free.
        """
        taken = self._taken.total()
        if taken >= self._kind.count:
            raise OverloadedError(
                f"{taken} {self._kind.what} at this moment ({self._kind.setting}); try again shortly",
                retry_after_s=RETRY_AFTER_S,
            )
        self.require_share(owner)

    def require_share(self, owner: str) -> None:
        """Check that another place leaves enough for others, whether or not one is free now.

        Raises:
            RateLimitedError: it does not.
        """
        own = self._taken[owner]
        # None yet: whoever comes first is not kept out by those who fill it.
        if own and own >= self._kind.count - self._taken.total() and self._keyring.has_several_owners:
            raise RateLimitedError(
                f"{own} {self._kind.what} for this key at this moment, and the rest is left to others "
                f"({self._kind.setting}); try again shortly",
                retry_after_s=RETRY_AFTER_S,
            )

    @contextmanager
    def held(self, owner: str) -> Iterator[None]:
        """Hold a place.

        Raises:
            OverloadedError, RateLimitedError: as `require_room`.
        """
        self.require_room(owner)
        with self.counted(owner):
            yield

    @contextmanager
    def counted(self, owner: str) -> Iterator[None]:
        """Count a place as taken by `owner`, in any case."""
        self._taken[owner] += 1
        try:
            yield
        finally:
            self._taken[owner] -= 1
            if not self._taken[owner]:
                del self._taken[owner]

    async def while_key_is_valid(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The pieces, as long as the key of the current request opens the service.

        Raises:
            UnauthorisedError: it was revoked meanwhile, or its secret has ended.
        """
        async for piece in pieces:
            self.require_key()
            yield piece

    def require_key(self) -> None:
        """Check that the key of the current request still opens the service.

        Raises:
            UnauthorisedError: it was revoked meanwhile, or its secret has ended.
        """
        principal = current_record().principal
        if principal is not None:
            self._keyring.require_open_to(principal)
