"""What an API process knows of all policies: their heads, as of a moment ago. One per API process.

Lists of words are not among them: they are the workers' work.
"""

import asyncio
from collections.abc import Mapping

import msgspec
from redis.exceptions import RedisError

from api.background import end_task
from api.policies.file import FilePolicies
from api.policies.store import PolicyStore, no_policy
from shared.errors import KobertError, MalformedRequestError, StoreUnavailableError
from shared.log import get_logger
from shared.options import NO_OPTIONS, VerdictOptions
from shared.policies.records import MaskRules, PolicyHead
from shared.span_options import MaskStyle

log = get_logger(__name__)

# A change made through another process is known here after so long at most.
FOLLOW_S = 0.3


class PolicyBook:
    """Follows the store. `look_up` and `apply` are thread-safe."""

    def __init__(self, store: PolicyStore, from_file: FilePolicies) -> None:
        self._store = store
        self._from_file = from_file
        self._heads: Mapping[str, PolicyHead] = {}
        self._version: int | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read all heads now, then follow."""
        await self._follow_once()
        self._task = asyncio.create_task(self._follow_forever(), name="policies")

    async def close(self) -> None:
        """Stop following."""
        await end_task(self._task)

    @property
    def heads(self) -> Mapping[str, PolicyHead]:
        """All policies by name."""
        return self._heads

    def look_up(self, name: object) -> PolicyHead:
        """The newest version of a policy that a request names.

        Raises:
            MalformedRequestError: there is none of this name, or it is no name.
            StoreUnavailableError: the store has not answered since the start.
        """
        if not isinstance(name, str):
            raise MalformedRequestError('policy must be the name of a policy, such as "board1"', param="policy")
        head = self._heads.get(name)
        if head is None:
            if self._version is None:
                raise StoreUnavailableError("the policies are not known yet; try again shortly")
            raise MalformedRequestError(no_policy(name, self._heads).message, param="policy")
        return head

    def apply(self, name: object, options: VerdictOptions | None) -> VerdictOptions:
        """Options of a request with what its policy says where the request says nothing.

        Raises:
            MalformedRequestError, StoreUnavailableError: as `look_up`.
        """
        head = self.look_up(name)
        options = options or NO_OPTIONS
        return msgspec.structs.replace(
            options,
            strictness=options.strictness or head.strictness,
            thresholds=tuple(sorted({**head.thresholds, **dict(options.thresholds)}.items())),
            labels=head.labels,
            policy=head.ref(str(name)),
            mask=_mask(options.mask, head.mask),
        )

    async def refresh(self) -> None:
        """Read all heads now: this process has changed one."""
        version = await self._store.version()
        self._heads = await self._store.heads()
        self._version = version

    async def _follow_once(self) -> None:
        try:
            if await self._store.version() != self._version:
                await self.refresh()
            if await self._from_file.store_missing(self._store, self._heads):
                await self.refresh()
        except (RedisError, OSError, KobertError) as error:
            # The last heads known stay in force; a change cannot have been made without the store.
            log.debug("policies_unreachable", error_type=type(error).__name__)

    async def _follow_forever(self) -> None:
        while True:
            await asyncio.sleep(FOLLOW_S)
            try:
                await self._follow_once()
            except Exception:
                # A stale view would hide every later change.
                log.exception("policies_unreadable")


def _mask(asked: MaskStyle | None, rules: MaskRules | None) -> MaskStyle | None:
    """How to mask, where a mask is asked for: what the request leaves open, the policy says."""
    if asked is None or rules is None:
        return asked
    return MaskStyle(
        asked.char or rules.char,
        rules.keep_first if asked.keep_first is None else asked.keep_first,
        rules.labels if asked.labels is None else asked.labels,
    )
