"""What a worker keeps of policies has a bound in bytes: the lists used longest ago go, before others are made."""

import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.options import PolicyRef
from shared.policies.records import DeniedTerm, Policy
from worker.rules import policies
from worker.rules.hits import HitCounter
from worker.rules.policies import PolicyRules
from worker.rules.words import Words

ENTRIES = 20
# Two policies have room, three have not.
BOUND = 2 * ENTRIES * 2_000


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


def test_lists_that_are_kept_do_not_wait_for_others_that_are_read(store: CountedStore, rules: PolicyRules) -> None:
    kept = rules.words(ref("a"))
    begun, gate = threading.Event(), threading.Event()
    read = store.read

    def read_slowly(ref: PolicyRef) -> Policy:
        begun.set()
        assert gate.wait(10)
        return read(ref)

    store.read = read_slowly  # type: ignore[method-assign]
    with ThreadPoolExecutor() as threads:
        slow = [threads.submit(rules.words, ref("b")) for _ in range(2)]
        assert begun.wait(10)
        try:
            assert threads.submit(rules.words, ref("a")).result(timeout=5) is kept
        finally:
            gate.set()
        first, second = (words.result(timeout=10) for words in slow)
    assert first is second
    assert store.was_read == ["a", "b"]


def test_one_that_is_larger_than_the_bound_is_kept_alone(
    store: CountedStore, rules: PolicyRules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policies, "MAX_BYTES_KEPT", 1, raising=False)
    for name in ("a", "a", "b", "b", "a"):
        rules.words(ref(name))
    assert store.was_read == ["a", "b", "a"]


_MEASURE = """
import random, sys
import psutil
from shared.policies.records import DeniedTerm, Policy
from worker.rules.policies import size_when_ready
from worker.rules.words import Words
count, chars = int(sys.argv[1]), int(sys.argv[2])
random.seed(count)
Words(Policy(deny=(DeniedTerm("가나다라"),)))  # its tables
terms = ("".join(chr(0xAC00 + random.randrange(11_172)) for _ in range(chars)) for _ in range(count))
policy = Policy(deny=tuple(map(DeniedTerm, terms)))
memory = psutil.Process().memory_info
before = memory().rss
words = Words(policy)
print(memory().rss - before, size_when_ready(policy))
"""


@pytest.mark.integration  # it has a process of its own
@pytest.mark.parametrize(("count", "chars"), [(1_000, 80), (20_000, 4)])
def test_lists_take_about_as_much_memory_as_they_are_taken_to_need(count: int, chars: int) -> None:
    """A thousand random terms of 80 syllables took 600 MB, and a policy may have seven thousand of them."""
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(count), str(chars)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    took, thought = map(int, done.stdout.split())
    assert thought / 3 < took < 2.5 * thought


def test_long_terms_take_more_room_than_short_ones(rules: PolicyRules) -> None:
    """Lists of 80 syllables a term take ten times as much as those of four."""
    short, long = (Policy(deny=(DeniedTerm("가" * count),) * ENTRIES) for count in (4, 80))
    assert policies.size_when_ready(long) > 10 * policies.size_when_ready(short)
