"""Whether an owner may open another job: within the limits of all and of its key, and with room left for others."""

from api.access.keyring import Keyring
from shared.errors import OverloadedError, RateLimitedError
from shared.settings import Settings

RETRY_AFTER_S = 30


class JobRoom:
    """The limits that `open_job_room` of the ledger's scripts decides by, and what to say when it refuses."""

    def __init__(self, settings: Settings, keyring: Keyring) -> None:
        self._most = settings.max_open_jobs
        self._keyring = keyring

    def limits_of(self, owner: str) -> tuple[int, int, int]:
        """Most open jobs of all, of this owner (0: no limit), and 1 if several owners share them."""
        return self._most, self._keyring.open_jobs_of(owner) or 0, int(self.is_shared)

    @property
    def is_shared(self) -> bool:
        """Whether several owners share the store."""
        return self._keyring.has_several_owners

    def key_id_of(self, owner: str) -> str:
        """The id of the owner's key, by which policies and corrections are counted."""
        return self._keyring.key_id_of(owner)

    def require_valid(self, owner: str) -> None:
        """Check that the owner's key has not been revoked while its file was read, by `Keyring.require_valid`."""
        self._keyring.require_valid(owner)

    def refuse(self, answer: str, owner: str) -> None:
        """Raise what the script's answer means, if that is no `ok`.

        Raises:
            OverloadedError: all open jobs together are too many.
            RateLimitedError: those of this owner are.
        """
        if answer == "full":
            raise OverloadedError(
                f"{self._most} jobs are open (MAX_OPEN_JOBS); wait for one to end", retry_after_s=RETRY_AFTER_S
            )
        if answer == "quota":
            own = self._keyring.open_jobs_of(owner)
            raise RateLimitedError(
                f"{own} jobs of this key are open, which is its quota; wait for one to end", retry_after_s=RETRY_AFTER_S
            )
        if answer == "share":
            raise RateLimitedError(
                f"this key has as many open jobs as are left to all others (MAX_OPEN_JOBS is {self._most}); "
                "wait for one to end",
                retry_after_s=RETRY_AFTER_S,
            )
