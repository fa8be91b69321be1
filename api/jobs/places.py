"""Counts clients that stay for long, so that they cannot become any number."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from shared.errors import OverloadedError

RETRY_AFTER_S = 5


class Places:
    """Places for `count` clients who do `what`; `setting` is what an operator would raise."""

    def __init__(self, count: int, what: str, setting: str) -> None:
        self._count = count
        self._what = what
        self._setting = setting
        self._taken = 0

    def require_room(self) -> None:
        """Check that there is a place.

        Raises:
            OverloadedError: all are taken.
        """
        if self._taken >= self._count:
            raise OverloadedError(
                f"{self._taken} {self._what} at this moment ({self._setting}); try again shortly",
                retry_after_s=RETRY_AFTER_S,
            )

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold a place.

        Raises:
            OverloadedError: as `require_room`.
        """
        self.require_room()
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1

    async def held_by(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The pieces, with a place held from the first to the last: a response that never starts holds none."""
        self._taken += 1
        try:
            async for piece in pieces:
                yield piece
        finally:
            self._taken -= 1
