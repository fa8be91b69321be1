"""The rules of the policies that texts were sent with, read from the store once per version and kept ready."""

import threading
from collections import OrderedDict

import msgspec
from redis.exceptions import RedisError

from shared.errors import StoreUnavailableError, UnavailableError
from shared.log import get_logger
from shared.options import PolicyRef
from shared.policies.rules_store import RulesStore
from shared.store_errors import is_passing
from worker.rules.hits import HitCounter
from worker.rules.words import Words

log = get_logger(__name__)

# Terms of all lists that are kept ready, about 1 kB each; the lists used last stay.
MAX_TERMS_KEPT = 200_000


class PolicyRules:
    """Thread-safe. A version never changes, so what is kept is never out of date. `hits` counts what fired."""

    def __init__(self, store: RulesStore, hits: HitCounter) -> None:
        self.hits = hits
        self._store = store
        self._kept: OrderedDict[tuple[str, str], Words] = OrderedDict()
        self._terms = 0
        self._lock = threading.Lock()

    def words(self, ref: PolicyRef) -> Words:
        """The lists of one version.

        Raises:
            StoreUnavailableError: they are not at hand, and the store does not answer.
            UnavailableError: they are no longer kept, or a later version of this program wrote them.
        """
        key = (ref.name, ref.digest)
        # One thread builds, and the others wait for it rather than build the same.
        with self._lock:
            words = self._kept.get(key)
            if words is None:
                words = self._kept[key] = self._build(ref)
                self._terms += words.terms
                self._drop_oldest()
            self._kept.move_to_end(key)
            return words

    def _build(self, ref: PolicyRef) -> Words:
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
        words = Words(policy)
        log.info("policy_read", policy=ref.name, version=ref.version, terms=words.terms, left_out=words.left_out)
        return words

    def _drop_oldest(self) -> None:
        while self._terms > MAX_TERMS_KEPT and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            self._terms -= dropped.terms
