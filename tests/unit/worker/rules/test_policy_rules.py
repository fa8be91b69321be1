"""What a worker keeps of policies has a bound in bytes: the lists used longest ago go, before others are made."""

import weakref

import pytest

from shared.options import PolicyRef
from shared.policies.records import DeniedTerm, Policy
from worker.rules import policies
from worker.rules.hits import HitCounter
from worker.rules.policies import PolicyRules
from worker.rules.words import Words

ENTRIES = 20
# Two policies have room, three have not.
BOUND = 2 * ENTRIES * 3_000


class CountedStore:
    """A store with every policy, which notes what is read of it."""

    def __init__(self) -> None:
        self.was_read: list[str] = []

    def read(self, ref: PolicyRef) -> Policy:
        self.was_read.append(ref.name)
        return Policy(deny=tuple(DeniedTerm("가" * 8 + f"{ref.name}{place}") for place in range(ENTRIES)))


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> CountedStore:
    monkeypatch.setattr(policies, "MAX_BYTES_KEPT", BOUND, raising=False)
    return CountedStore()


@pytest.fixture
def rules(store: CountedStore) -> PolicyRules:
    return PolicyRules(store, HitCounter(store))  # type: ignore[arg-type]  # it has what is used of both


def ref(name: str) -> PolicyRef:
    return PolicyRef(name, 1, "00")


def test_the_lists_used_longest_ago_go(store: CountedStore, rules: PolicyRules) -> None:
    for name in ("a", "b", "a", "c", "a", "c"):
        rules.words(ref(name))
    assert store.was_read == ["a", "b", "c"]
    rules.words(ref("b"))
    assert store.was_read == ["a", "b", "c", "b"]


def test_they_go_before_others_are_made(rules: PolicyRules, monkeypatch: pytest.MonkeyPatch) -> None:
    oldest = weakref.ref(rules.words(ref("a")))
    rules.words(ref("b"))
    was_there: list[bool] = []

    def make(policy: Policy) -> Words:
        was_there.append(oldest() is not None)
        return Words(policy)

    monkeypatch.setattr(policies, "Words", make)
    rules.words(ref("c"))
    assert was_there == [False]


def test_one_that_is_larger_than_the_bound_is_kept_alone(
    store: CountedStore, rules: PolicyRules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policies, "MAX_BYTES_KEPT", 1, raising=False)
    for name in ("a", "a", "b", "b", "a"):
        rules.words(ref(name))
    assert store.was_read == ["a", "b", "a"]


def test_long_terms_take_more_room_than_short_ones(rules: PolicyRules) -> None:
    """Lists of 80 syllables a term take ten times as much as those of four."""
    short, long = (Policy(deny=(DeniedTerm("가" * count),) * ENTRIES) for count in (4, 80))
    assert policies.size_when_ready(long) > 10 * policies.size_when_ready(short)
