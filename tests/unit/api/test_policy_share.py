"""How much each key may take with policies where several keys share a store, in a real Valkey."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from api.policies.store import PolicyStore, Sharing, StoreLimits
from shared import keys
from shared.errors import ConflictError, OverloadedError, RateLimitedError
from shared.policies.records import DeniedTerm, Policy, PolicyHead, make_head, pack_policy
from shared.usage.scripts import source_of
from tests.support.valkey import running_valkey

pytestmark = pytest.mark.integration

LIMITS = StoreLimits(policies=8, versions=20, versions_bytes=40_000, passing_bytes=40_000, key_bytes=1 << 20)
SHARED = Sharing(is_shared=True)
OLD_RULES_S = 100


@pytest.fixture
async def redis() -> AsyncIterator[Redis]:
    with running_valkey() as url:
        async with Redis.from_url(url) as client:
            yield client


@pytest.fixture
def store(redis: Redis) -> PolicyStore:
    return PolicyStore(redis, LIMITS, OLD_RULES_S)


def rules(number: int, kilobytes: int = 1) -> Policy:
    return Policy(deny=tuple(DeniedTerm(f"{number:03}-{entry:03}-{'x' * 80}") for entry in range(kilobytes * 10)))


def head(policy: Policy, key_id: str) -> PolicyHead:
    return make_head(policy, pack_policy(policy), updated_at=1, updated_by=key_id)


async def put(store: PolicyStore, name: str, policy: Policy, key_id: str, sharing: Sharing = SHARED) -> None:
    await store.put(name, policy, head(policy, key_id), None, sharing)


async def fill(store: PolicyStore, key_id: str) -> int:
    """How many policies a key may set before it is refused."""
    for number in range(100):
        try:
            await put(store, f"{key_id}{number}", rules(number), key_id)
        except ConflictError:
            return number
    raise AssertionError("no limit was met")


async def test_a_key_sets_no_more_policies_than_it_leaves_and_the_next_one_has_room(store: PolicyStore) -> None:
    assert [await fill(store, key_id) for key_id in "abcd"] == [4, 2, 1, 1]
    with pytest.raises(ConflictError, match="there are 8 policies"):
        await put(store, "more", rules(1), "e")
    # What there is can still be changed, and a policy that goes leaves its place.
    await put(store, "a0", rules(9), "a")
    await store.delete("b0", key_id="b")
    await put(store, "e0", rules(1), "e")


async def test_one_key_alone_may_set_all_policies(store: PolicyStore) -> None:
    for number in range(8):
        await put(store, f"p{number}", rules(number), "a", Sharing())
    with pytest.raises(ConflictError, match="MAX_POLICIES"):
        await put(store, "more", rules(1), "a", Sharing())


async def test_a_key_takes_no_more_of_the_store_than_it_leaves_free(store: PolicyStore) -> None:
    def free(taken: int) -> Sharing:
        return Sharing(is_shared=True, free_bytes=10_000 - taken)

    # Each takes 2,250 bytes: once for use, and once as a version.
    await put(store, "p0", rules(0), "a", free(0))
    await put(store, "p1", rules(1), "a", free(2_300))
    with pytest.raises(RateLimitedError, match="MAX_STORE_FILL") as refusal:
        await put(store, "p2", rules(2), "a", free(4_600))
    assert refusal.value.retry_after_s > 0
    # Another key's first one has room however little is free, and what gets no larger is never refused.
    await put(store, "p2", rules(2), "b", free(9_900))
    await put(store, "p0", Policy(deny=(DeniedTerm("짧다"),)), "a", free(9_900))


async def test_versions_give_way_where_a_key_has_its_part(store: PolicyStore) -> None:
    for number in range(6):
        await put(store, "p", rules(number), "a", Sharing(is_shared=True, free_bytes=5_000))
    assert len(await store.versions("p")) < 6
    for number in range(6):
        await put(store, "q", rules(number), "b", SHARED)
    assert len(await store.versions("q")) == 6


async def test_a_key_that_replaces_rules_without_end_leaves_room_to_those_of_another(store: PolicyStore) -> None:
    """What is replaced stays for a minute, and one key could take all the room that there is for it."""
    for key_id in "ab":
        await put(store, key_id, rules(999, kilobytes=3), key_id)

    async def replace_all(key_id: str) -> tuple[int, int]:
        for number in range(100):
            try:
                await put(store, key_id, rules(number, kilobytes=3), key_id)
            except OverloadedError as refusal:
                return number, refusal.retry_after_s
        raise AssertionError("no limit was met")

    (first, wait_s), (second, _) = await replace_all("a"), await replace_all("b")
    assert first > second > 0
    assert 0 < wait_s <= OLD_RULES_S + 60
    tried = rules(50, kilobytes=3)
    with pytest.raises(OverloadedError, match="this key's part"):
        await store.keep_draft("a", head(tried, "a"), pack_policy(tried), SHARED)
    await store.keep_draft("c", head(tried, "c"), pack_policy(tried), SHARED)
    await store.drop_draft("c", head(tried, "c").digest)


async def test_what_is_kept_for_a_while_is_forgotten_with_whose_it_was(redis: Redis, store: PolicyStore) -> None:
    await put(store, "p", rules(1), "a")
    await put(store, "p", rules(2), "a")
    assert await redis.hlen(keys.POLICIES_PASSING_OF) == 1
    await put(store, "p", rules(1), "a")  # in use again
    found = await redis.hgetall(keys.POLICIES_PASSING_OF)
    replaced = keys.policy_rules("p", head(rules(2), "a").digest)
    assert list(found) == [replaced.encode()]
    await redis.zadd(keys.POLICIES_PASSING, {replaced: 1})
    await put(store, "p", rules(3), "a")
    assert list(await redis.hkeys(keys.POLICIES_PASSING_OF)) != list(found)
    assert 0 < await redis.ttl(keys.POLICIES_PASSING_OF) <= OLD_RULES_S + 60


async def test_policies_and_corrections_count_towards_what_a_key_takes(redis: Redis, store: PolicyStore) -> None:
    """A key that has its part in policies has none left for jobs."""
    await put(store, "p", rules(1, kilobytes=10), "a")
    await redis.hset(keys.CORRECTIONS_OF, mapping={"count:a": 1, "bytes:a": 5})
    size = 2 * len(pack_policy(rules(1, kilobytes=10)))

    async def taken(key_id: str) -> list[int]:
        return await redis.eval(source_of("share"), 0, key_id, 0, 10_000, "", key_id)

    assert await taken("a") == [size + 5, -1]
    assert await taken("b") == [0, 0]
