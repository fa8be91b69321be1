"""Deadly texts that some worker has found, in all workers: a text that ends one of them does not end the next.

The store holds hashes of texts, and no text. They are keyed, so that nobody who sees a hash alone can tell a short text
by trying all of them.
"""

import hashlib
import secrets
import threading
import time

from redis import Redis
from redis.exceptions import RedisError

from shared import keys
from shared.log import get_logger
from worker.quarantine.child import SuspectText

log = get_logger(__name__)

# The newest are kept, and each for so long: what is put right in the model's runtime must be noticed some day.
MAX_KNOWN = 1_024
KEPT_S = 24 * 3600
# The key is made anew when no deadly text was found for longer than any is kept.
SECRET_KEPT_S = 2 * KEPT_S
_SECRET_BYTES, _HASH_BYTES = 32, 16
# How soon a worker knows what another has found.
LOOK_S = 1.0
# Clocks of machines may differ by so much.
CLOCKS_S = 60.0


class DeadlyTexts:
    """Thread-safe. `model` is the revision of the model, since another one may read the text."""

    def __init__(self, redis: Redis, model: str) -> None:
        self._redis = redis
        self._model = model.encode()
        self._lock = threading.Lock()
        self._secret: bytes | None = None
        # How the process that read it ended, by hash; and when it was found.
        self._ends: dict[bytes, str] = {}
        self._found_at: dict[bytes, float] = {}
        self._seen_until = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._look_forever, name="deadly-texts", daemon=True)

    def start(self) -> None:
        """Learn what other workers have found, now and from now on."""
        self._look()
        self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._stopping.set()

    @property
    def are_known(self) -> bool:
        """Whether there are any, which is rare."""
        return bool(self._ends)

    def end_of(self, text: SuspectText) -> str | None:
        """How the process that read this text ended, if one did."""
        secret = self._secret
        return None if secret is None or not self._ends else self._ends.get(self._hash(text, secret))

    def add(self, found: dict[SuspectText, str]) -> None:
        """Remember texts, and tell the other workers; where the store does not answer, this worker alone knows."""
        if not found:
            return
        now = time.time()
        try:
            secret = self._shared_secret()
        except RedisError as error:
            secret = self._secret or secrets.token_bytes(_SECRET_BYTES)
            log.warning("deadly_texts_not_shared", error_type=type(error).__name__, texts=len(found))
        with self._lock:
            if self._secret != secret:
                self._forget_all()
                self._secret = secret
            hashes = {self._hash(text, secret): end for text, end in found.items()}
            self._remember(hashes, now)
        try:
            self._store(hashes, now)
        except RedisError as error:
            log.warning("deadly_texts_not_shared", error_type=type(error).__name__, texts=len(found))

    def _look_forever(self) -> None:
        while not self._stopping.wait(LOOK_S):
            self._look()

    def _look(self) -> None:
        try:
            with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.get(keys.DEADLY_SECRET)
                pipeline.zrangebyscore(keys.DEADLY_TEXTS, self._seen_until - CLOCKS_S, "+inf", withscores=True)
                secret, found = pipeline.execute()
        except RedisError as error:
            log.debug("deadly_texts_not_read", error_type=type(error).__name__)
            return
        with self._lock:
            if secret is not None and secret != self._secret:
                self._forget_all()
                self._secret = secret
            for member, found_at in found:
                digest, _, end = member.partition(b" ")
                self._remember({bytes.fromhex(digest.decode()): end.decode()}, found_at)
                self._seen_until = max(self._seen_until, found_at)
            self._forget_old(time.time())

    def _shared_secret(self) -> bytes:
        """The key that all workers hash with."""
        self._redis.set(keys.DEADLY_SECRET, secrets.token_bytes(_SECRET_BYTES), nx=True)
        self._redis.expire(keys.DEADLY_SECRET, SECRET_KEPT_S)
        secret = self._redis.get(keys.DEADLY_SECRET)
        return secret if isinstance(secret, bytes) else b""

    def _store(self, hashes: dict[bytes, str], now: float) -> None:
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.zadd(keys.DEADLY_TEXTS, {f"{digest.hex()} {end}": now for digest, end in hashes.items()})
            pipeline.zremrangebyscore(keys.DEADLY_TEXTS, "-inf", now - KEPT_S)
            pipeline.zremrangebyrank(keys.DEADLY_TEXTS, 0, -MAX_KNOWN - 1)
            pipeline.expire(keys.DEADLY_TEXTS, KEPT_S)
            pipeline.execute()

    def _remember(self, hashes: dict[bytes, str], found_at: float) -> None:
        self._ends.update(hashes)
        self._found_at.update(dict.fromkeys(hashes, found_at))
        while len(self._ends) > MAX_KNOWN:
            self._forget(min(self._found_at, key=self._found_at.__getitem__))

    def _forget_old(self, now: float) -> None:
        for digest in [digest for digest, found_at in self._found_at.items() if found_at < now - KEPT_S]:
            self._forget(digest)

    def _forget(self, digest: bytes) -> None:
        self._ends.pop(digest, None)
        self._found_at.pop(digest, None)

    def _forget_all(self) -> None:
        self._ends.clear()
        self._found_at.clear()
        self._seen_until = 0.0

    def _hash(self, text: SuspectText, secret: bytes) -> bytes:
        content = b"%b\0%d\0%b" % (self._model, text.is_explained, text.text.encode("utf-8", "surrogatepass"))
        return hashlib.blake2b(content, digest_size=_HASH_BYTES, key=secret).digest()
