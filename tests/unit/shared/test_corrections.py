"""The store of corrections, on a real Valkey."""

from collections.abc import Iterator

import pytest
from redis import Redis
from redis.exceptions import OutOfMemoryError

from shared import keys
from shared.corrections.records import Correction, NewCorrection
from shared.corrections.store import WITHDRAWN_KEPT, Added, Bounds, CorrectionStore, Limit

pytestmark = pytest.mark.integration


@pytest.fixture
def store(server: str) -> Iterator[CorrectionStore]:
    with Redis.from_url(server) as client:
        client.flushall()
        yield CorrectionStore(client)


def add(store: CorrectionStore, text: str, classification: str = "clean", policy: str | None = None) -> Correction:
    (added,) = store.add([NewCorrection(text=text, classification=classification, policy=policy)], Bounds(100, 100_000))
    assert isinstance(added, Added)
    return added.correction


def test_what_was_added_can_be_read_by_its_id(store: CorrectionStore) -> None:
    first = add(store, "게이머들")
    assert store.get(first.id) == first
    assert store.get("cor_2") is None
    assert store.get("cor_0001") is None


def test_the_same_text_and_policy_is_replaced_and_keeps_its_id(store: CorrectionStore) -> None:
    first, other = add(store, "게이머들", "insult"), add(store, "게이머들", "hate", policy="board1")
    again = add(store, "게이머들", "clean")

    assert again.id == first.id
    assert other.id != first.id
    assert [found.record.classification for found in store.page(10)] == ["clean", "hate"]


def test_pages_go_from_the_last_change_to_the_first(store: CorrectionStore) -> None:
    made = [add(store, f"text {number}") for number in range(5)]
    first = store.page(2)
    assert first == made[:2:-1]
    assert store.page(10, before=first[-1]) == made[2::-1]


def test_all_are_read_in_pages_of_any_number(store: CorrectionStore) -> None:
    texts = [f"text {number}" for number in range(1_001)]
    store.add([NewCorrection(text=text, classification="clean") for text in texts], Bounds(2_000, 1 << 20))
    pages = list(store.all())
    assert [len(page) for page in pages] == [500, 500, 1]
    assert [found.record.text for page in pages for found in page] == texts


def test_each_that_goes_beyond_a_limit_is_refused_alone(store: CorrectionStore) -> None:
    short, long = (NewCorrection(text=text, classification="clean") for text in ("짧다", "길다" * 500))
    added = store.add([short, long, NewCorrection(text="또", classification="clean")], Bounds(2, 1_000))
    assert [getattr(one, "is_new", one) for one in added] == [True, "bytes", True]
    assert store.add([NewCorrection(text="셋", classification="clean")], Bounds(2, 1_000)) == ["count"]
    assert isinstance(store.add([short], Bounds(2, 1_000))[0], Added)


def test_room_is_given_back_by_what_is_withdrawn(store: CorrectionStore) -> None:
    kept = NewCorrection(text="길다" * 50, classification="clean")
    for _ in range(5):
        (added,) = store.add([kept], Bounds(1, 600))
        assert isinstance(added, Added)
        assert store.remove(added.correction)
        assert not store.remove(added.correction)


def test_changes_say_what_is_new_and_what_was_withdrawn(store: CorrectionStore) -> None:
    first, second = add(store, "one"), add(store, "two")
    seen = store.changes()
    assert (seen.changed, seen.withdrawn, seen.reached) == ([first, second], [], store.position())

    store.remove(first)
    third = add(store, "three")
    later = store.changes(seen.reached.version)
    assert (later.changed, later.withdrawn) == ([third], [first.number])
    assert later.reached == store.position()


def test_changes_in_pages_miss_no_withdrawal(store: CorrectionStore) -> None:
    made = [add(store, f"text {number}") for number in range(4)]
    start = store.position().version
    store.remove(made[0])
    again = [add(store, f"text {number}", "curse") for number in (1, 2)]
    store.remove(made[3])

    pages = [store.changes(start, limit=1)]
    while pages[-1].changed:
        pages.append(store.changes(pages[-1].reached.version, limit=1))
    assert [one for page in pages for one in page.changed] == again
    assert [number for page in pages for number in page.withdrawn] == [made[0].number, made[3].number]


def test_withdrawals_that_are_no_longer_listed_are_said_to_be_forgotten(store: CorrectionStore) -> None:
    first, *others = [add(store, f"text {number}") for number in range(2)]
    store.remove(first)
    version = store.position().version
    for number in range(WITHDRAWN_KEPT):
        store.remove(add(store, f"passing {number}"))
    assert store.changes(version - 1).forgotten >= version
    assert list(store.all()) == [others]


def test_a_store_that_was_emptied_has_another_epoch(store: CorrectionStore, server: str) -> None:
    add(store, "one")
    before = store.position()
    with Redis.from_url(server) as client:
        client.flushall()
    assert store.position().epoch == ""
    add(store, "one")
    assert store.position().version == before.version
    assert store.position().epoch != before.epoch


def test_nothing_of_a_correction_expires(store: CorrectionStore, server: str) -> None:
    store.remove(add(store, "one"))
    add(store, "two")
    with Redis.from_url(server) as client:
        found = {key.decode(): client.ttl(key) for key in client.scan_iter()}
    assert len(found) == 6
    assert set(found.values()) == {-1}


def test_a_full_store_refuses_a_correction_and_lets_one_be_withdrawn(store: CorrectionStore, server: str) -> None:
    made = add(store, "one")
    with Redis.from_url(server) as client:
        client.config_set("maxmemory", "1mb")
        client.script_flush()
        try:
            with pytest.raises(OutOfMemoryError):
                add(store, "two")
            assert store.remove(made)
        finally:
            client.config_set("maxmemory", "0")


def add_for(store: CorrectionStore, key_id: str, text: str, count: int = 8) -> Added | Limit:
    (added,) = store.add(
        [NewCorrection(text=text, classification="clean", created_by=key_id)], Bounds(count, 2_000, is_shared=True)
    )
    return added


def fill(store: CorrectionStore, key_id: str, text: str = "글", count: int = 8) -> tuple[int, Added | Limit]:
    """How many corrections a key may add, and what it is told of the next one."""
    for number in range(100):
        added = add_for(store, key_id, f"{key_id} {number} {text}", count)
        if not isinstance(added, Added):
            return number, added
    raise AssertionError("no limit was met")


def test_a_key_adds_no_more_than_it_leaves_and_the_next_one_has_room(store: CorrectionStore) -> None:
    assert fill(store, "a") == (4, "own_count")
    assert fill(store, "b") == (2, "own_count")
    assert fill(store, "c") == (1, "own_count")
    assert fill(store, "d") == (1, "count")


def test_the_bytes_of_corrections_are_shared_as_well(store: CorrectionStore) -> None:
    own, limit = fill(store, "a", "길다" * 20, count=100)
    assert limit == "own_bytes"
    assert isinstance(add_for(store, "b", "길다" * 30, 100), Added)
    # What makes its own no larger is still taken.
    assert isinstance(add_for(store, "a", f"a 0 {'길다' * 20}", 100), Added)
    first = store.page(1)[0]
    assert store.remove(first)
    assert isinstance(add_for(store, "a", f"a {own} {'길다' * 20}", 100), Added)


def test_one_key_alone_may_add_all(store: CorrectionStore) -> None:
    new = [NewCorrection(text=f"글 {number}", classification="clean", created_by="a") for number in range(9)]
    assert [isinstance(one, Added) for one in store.add(new, Bounds(8, 2_000))] == [True] * 8 + [False]


def test_who_replaces_a_correction_has_it_counted(store: CorrectionStore) -> None:
    for number in range(4):
        assert isinstance(add_for(store, "a", f"글 {number}"), Added)
    assert isinstance(add_for(store, "b", "글 0"), Added)
    assert isinstance(add_for(store, "a", "또"), Added)
    assert add_for(store, "a", "또 하나") == "own_count"


def test_corrections_of_an_earlier_version_are_counted_at_the_next_change(store: CorrectionStore, server: str) -> None:
    fill(store, "a")
    with Redis.from_url(server) as client:
        tally = client.hgetall(keys.CORRECTIONS_OF)
        client.delete(keys.CORRECTIONS_OF)
        assert add_for(store, "a", "또") == "own_count"
        assert client.hgetall(keys.CORRECTIONS_OF) == tally
        client.delete(keys.CORRECTIONS_OF)
        for one in store.page(10):
            assert store.remove(one)
        assert not client.exists(keys.CORRECTIONS_OF)
