"""Keys in a real Valkey: what is kept of them, and what a change does."""

import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from redis import Redis

from api.access.keyring import Keyring
from shared import keys
from shared.access import key_store
from shared.access.key_store import KeyStore
from shared.access.records import KeyRecord
from shared.errors import ConflictError, NotFoundError

pytestmark = pytest.mark.integration

DRAFT = KeyRecord(id="", name="board1", scopes=("jobs",), secrets=(), created_at=1)


@pytest.fixture
def redis(server: str) -> Iterator[Redis]:
    with Redis.from_url(server) as client:
        client.flushall()
        client.config_set("maxmemory", 0)
        yield client


@pytest.fixture
def store(redis: Redis) -> KeyStore:
    return KeyStore(redis, "operator:test")


def loaded(store: KeyStore, now: float | None = None) -> Keyring:
    keyring = Keyring(now=time.time if now is None else lambda: now)
    keyring.load(store.all())
    return keyring


def test_a_secret_opens_the_service_and_is_not_in_the_store(store: KeyStore, redis: Redis) -> None:
    record, secret = store.add(DRAFT)
    found = loaded(store).find(secret)

    assert found is not None
    assert (found.key_id, found.owner, found.scopes) == (record.id, record.id, frozenset(("jobs",)))
    assert len(secret) == 44
    assert secret.startswith("kbt_")
    everything = b"".join([redis.dump(key) or b"" for key in redis.scan_iter()])
    assert secret[8:].encode() not in everything


def test_a_rotated_key_keeps_its_owner_and_its_old_secret_for_the_grace_alone(store: KeyStore) -> None:
    record, first = store.add(DRAFT)
    _, second = store.rotate("board1", grace_s=60)
    now, later = loaded(store), loaded(store, now=time.time() + 61)

    assert {now.find(first), now.find(second)} == {now.find(second)}
    assert (later.find(first), later.find(second)) == (None, now.find(second))
    assert store.rotate(record.id, grace_s=0)[0].id == record.id
    assert (loaded(store).find(first), loaded(store).find(second)) == (None, None)


def test_a_revoked_key_opens_nothing_and_its_service_stays_closed(store: KeyStore) -> None:
    _, secret = store.add(DRAFT)
    revoked = store.revoke("board1")

    assert loaded(store).find(secret) is None
    assert not loaded(store).is_open
    assert (revoked.secrets, revoked.webhook_secret) == ((), None)
    with pytest.raises(NotFoundError, match="no valid key 'board1'"):
        store.rotate("board1", 0)
    assert store.add(DRAFT)[0].id != revoked.id


def test_an_expired_key_opens_nothing(store: KeyStore) -> None:
    _, secret = store.add(msgspec.structs.replace(DRAFT, expires_at=1_000))

    assert loaded(store, now=999).find(secret) is not None
    assert loaded(store, now=1_000).find(secret) is None


def test_a_name_belongs_to_one_valid_key(store: KeyStore) -> None:
    store.add(DRAFT)
    with pytest.raises(ConflictError, match="'board1'"):
        store.add(DRAFT)


def test_a_full_store_takes_a_revocation(store: KeyStore, redis: Redis) -> None:
    _, secret = store.add(DRAFT)
    redis.config_set("maxmemory", 1)
    store.revoke("board1")

    assert loaded(store).find(secret) is None


def test_two_changes_at_once_are_both_kept(store: KeyStore, redis: Redis) -> None:
    store.add(DRAFT)
    other = KeyStore(redis, "operator:other")

    def change_after_another(record: KeyRecord) -> KeyRecord:
        if record.scopes == ("jobs",):
            other.change("board1", lambda seen: msgspec.structs.replace(seen, scopes=("jobs", "admin")))
        return msgspec.structs.replace(record, expires_at=9)

    changed = store.change("board1", change_after_another)

    assert (changed.scopes, changed.expires_at) == (("jobs", "admin"), 9)
    assert store.all() == [changed]


def test_the_oldest_revoked_key_makes_room_and_a_valid_one_does_not(
    store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_store, "MAX_KEYS", 2)
    for number in range(2):
        store.add(msgspec.structs.replace(DRAFT, name=f"k{number}", created_at=number))
    with pytest.raises(ConflictError, match="revoke one first"):
        store.add(DRAFT)
    store.revoke("k1")
    store.add(DRAFT)

    assert [record.name for record in store.all()] == ["k0", "board1"]


def test_each_change_is_in_the_audit_log(store: KeyStore, redis: Redis) -> None:
    record, _ = store.add(DRAFT)
    store.rotate("board1", 0)
    store.revoke("board1")
    entries: Any = redis.xrange(keys.ACCESS_AUDIT)

    assert [fields[b"action"] for _, fields in entries] == [b"key.added", b"key.rotated", b"key.revoked"]
    assert {(fields[b"actor"], fields[b"target"]) for _, fields in entries} == {
        (b"operator:test", f"{record.id} board1".encode())
    }
    assert redis.ttl(keys.ACCESS_AUDIT) > 0
