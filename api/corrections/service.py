"""Corrections as the event loop sees them: each method runs blocking work in a thread."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

from api.corrections.view import Export
from shared.corrections.records import Correction, NewCorrection
from shared.corrections.store import Added, Bounds, CorrectionStore, Limit
from shared.errors import KobertError, NotFoundError, TooLargeError
from shared.settings import Settings

# An id that is none of ours may be of any length.
_MAX_SHOWN_CHARS = 40

# Runs a function with arguments in a thread, and names what the store raises.
RunInThread = Callable[..., Awaitable[Any]]


class CorrectionService:
    """One per API process. Every method raises `StoreUnavailableError` when Redis does not answer."""

    def __init__(
        self, store: CorrectionStore, settings: Settings, run: RunInThread, is_shared: Callable[[], bool]
    ) -> None:
        """`is_shared` tells whether there are several keys."""
        self._store = store
        self._settings = settings
        self._is_shared = is_shared
        self._run = run

    async def add(self, new: Sequence[NewCorrection]) -> list[Added | KobertError]:
        """Store each, all of one key, replacing an earlier one for the same text and policy.

        Returns an error where it does not fit.
        """
        bounds = Bounds(self._settings.max_corrections, self._settings.max_corrections_bytes, self._is_shared())
        outcomes: list[Added | Limit] = await self._run(self._store.add, new, bounds)
        return [outcome if isinstance(outcome, Added) else self._no_room(outcome) for outcome in outcomes]

    async def get(self, correction_id: str, param: str = "correction_id") -> Correction:
        """One correction.

        Raises:
            NotFoundError: there is none with this id.
        """
        found: Correction | None = await self._run(self._store.get, correction_id)
        if found is None:
            raise NotFoundError(
                f"there is no correction {correction_id[:_MAX_SHOWN_CHARS]}; it may have been withdrawn", param=param
            )
        return found

    async def withdraw(self, correction_id: str) -> None:
        """From now on its text is answered by the model again.

        Raises:
            NotFoundError: as `get`.
        """
        await self._run(self._store.remove, await self.get(correction_id))

    async def page(self, limit: int, after: str | None) -> tuple[list[Correction], bool]:
        """Up to `limit`, the last changed first, starting after the one with the id `after`; and whether more follow.

        Raises:
            NotFoundError: there is none with the id `after`.
        """
        before = None if after is None else await self.get(after, "after")
        found: list[Correction] = await self._run(self._store.page, limit + 1, before)
        return found[:limit], len(found) > limit

    async def export(self, export: Export) -> AsyncIterator[bytes]:
        """All of them as a file, one page in memory at a time."""
        yield export.head()
        pages = self._store.all()
        while (page := await self._run(next, pages, None)) is not None:
            yield await self._run(export.lines, page)

    def _no_room(self, limit: Limit) -> TooLargeError:
        most, most_bytes = self._settings.max_corrections, self._settings.max_corrections_bytes
        if limit == "own_count":
            return TooLargeError(
                "this key has as many corrections as are left to all others (MAX_CORRECTIONS is "
                f"{most:,}); withdraw some"
            )
        if limit == "own_bytes":
            return TooLargeError(
                "this key's corrections would have more bytes than they leave to all others (MAX_CORRECTIONS_BYTES is "
                f"{most_bytes:,}); withdraw some"
            )
        if limit == "count":
            return TooLargeError(f"there are {most:,} corrections (MAX_CORRECTIONS); withdraw some, or raise it")
        return TooLargeError(
            f"corrections may have {most_bytes:,} bytes together (MAX_CORRECTIONS_BYTES); withdraw some, or raise it"
        )
