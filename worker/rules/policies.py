"""The rules of the policies that texts were sent with, read from the store once per version and kept ready."""

import threading
from collections import OrderedDict

import msgspec
from redis.exceptions import RedisError

from shared.errors import StoreUnavailableError, UnavailableError
from shared.interpreter import give_freed_memory_back
from shared.log import get_logger
from shared.options import PolicyRef
from shared.policies.records import Policy
from shared.policies.rules_store import RulesStore
from shared.store_errors import is_passing
from worker.rules.hits import HitCounter
from worker.rules.words import Words

log = get_logger(__name__)

# What all lists that are kept ready may take; those used last stay, and the last one whatever it takes.
MAX_BYTES_KEPT = 64 << 20
# What lists take once they are ready, measured as growth of the process: for each entry, and for each byte of the terms
# in UTF-8. Random Hangul, spelt out and as the keys that type it, takes as much; other letters take less than half, and
# terms that begin alike a tenth.
_BYTES_PER_ENTRY, _BYTES_PER_BYTE = 550, 43


class PolicyRules:
    """Thread-safe. A version never changes, so what is kept is never out of date. `hits` counts what fired."""

    def __init__(self, store: RulesStore, hits: HitCounter) -> None:
        self.hits = hits
        self._store = store
        # With what each is taken to need.
        self._kept: OrderedDict[tuple[str, str], tuple[Words, int]] = OrderedDict()
        self._bytes = 0
        # The one guards what is kept, the other is held while lists are read and made ready.
        self._lock = threading.Lock()
        self._building = threading.Lock()

    def words(self, ref: PolicyRef) -> Words:
        """The lists of one version.

        Raises:
            StoreUnavailableError: they are not at hand, and the store does not answer.
            UnavailableError: they are no longer kept, or a later version of this program wrote them.
        """
        key = (ref.name, ref.digest)
        if (kept := self._find(key)) is not None:
            return kept
        # One thread builds, and the others wait for it rather than build the same.
        with self._building:
            if (kept := self._find(key)) is not None:
                return kept
            policy = self._read(ref)
            size = size_when_ready(policy)
            with self._lock:
                self._make_room(size)
            words = Words(policy)
            with self._lock:
                self._kept[key] = words, size
                self._bytes += size
        log.info("policy_read", policy=ref.name, version=ref.version, terms=words.terms, left_out=words.left_out)
        return words

    def _find(self, key: tuple[str, str]) -> Words | None:
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def _read(self, ref: PolicyRef) -> Policy:
        try:
            policy = self._store.read(ref)
        except msgspec.DecodeError as error:
            raise UnavailableError(f"policy {ref.name} is of a later version; start workers of that version") from error
        except RedisError as error:
            if not is_passing(error):
                raise
            raise StoreUnavailableError(f"policy {ref.name} could not be read; try again shortly") from error
        if policy is None:
            raise UnavailableError(f"policy {ref.name} was replaced meanwhile; send the text again")
        return policy

    def _make_room(self, size: int) -> None:
        """Drop the lists used longest ago: before others are made, which take more until they are ready."""
        while self._kept and self._bytes + size > MAX_BYTES_KEPT:
            self._bytes -= self._kept.popitem(last=False)[1][1]
            give_freed_memory_back()


def size_when_ready(policy: Policy) -> int:
    """About how many bytes its lists take once they are ready; often they take fewer."""
    in_terms = sum(len(entry.term.encode()) for entries in (policy.deny, policy.allow) for entry in entries)
    return _BYTES_PER_ENTRY * policy.entries + _BYTES_PER_BYTE * in_terms
