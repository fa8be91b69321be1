"""An answer that is streamed from a place: counted before its first byte, so that no two clients get the last place."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from api.jobs.places import Places


class PlacedResponse(StreamingResponse):
    """Holds a place for `owner` from its head to its last piece; a response that never starts holds none.

    A route looks for a place before it does any work, and waits for other things after that look. The place is taken
    here, in the same step as the look that counts. Without one the client gets the error of `Places.require_room`:
    nothing has been sent. `is_due`: it is sent in any case.
    """

    def __init__(
        self,
        places: Places,
        owner: str,
        pieces: AsyncIterator[bytes],
        media_type: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(places.while_key_is_valid(pieces), headers=headers, media_type=media_type)
        self._places = places
        self._owner = owner
        self.is_due = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it.

        Raises:
            OverloadedError, RateLimitedError: as `Places.require_room`.
        """
        with self._place():
            await super().__call__(scope, receive, send)

    def _place(self) -> AbstractContextManager[None]:
        return self._places.counted(self._owner) if self.is_due else self._places.held(self._owner)
