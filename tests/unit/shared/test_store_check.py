"""What is found wrong with a Redis of one's own: real servers, each with one setting that would cost jobs."""

import contextlib
import time
from collections.abc import Iterator

import pytest
from redis import Redis

from shared.store_check import Finding, check_store, judge
from tests.support.valkey import running_valkey

pytestmark = pytest.mark.integration

FIT = {"appendonly": "yes", "maxmemory": "64mb"}


@contextlib.contextmanager
def server(**options: str) -> Iterator[Redis]:
    with running_valkey(**{**FIT, **options}) as url, Redis.from_url(url) as redis:
        yield redis


def codes(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.level, finding.code) for finding in findings]


def test_the_settings_that_the_docs_ask_for_leave_nothing_to_find() -> None:
    with server() as redis:
        assert check_store(redis) == []


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-random", "volatile-lru", "volatile-ttl", "volatile-lfu"])
def test_any_policy_that_drops_keys_breaks_the_promise(policy: str) -> None:
    with server(**{"maxmemory-policy": policy}) as redis:
        (found,) = check_store(redis)
    assert (found.level, found.code) == ("breaks", "eviction")
    assert policy in found.message
    assert "set maxmemory-policy noeviction" in found.message


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"replicaof": "127.0.0.1 1"}, ("breaks", "replica")),
        ({"replicaof": "127.0.0.1 1", "replica-read-only": "no"}, ("breaks", "replica")),
        ({"cluster-enabled": "yes"}, ("breaks", "cluster")),
        ({"appendonly": "no"}, ("risks", "persistence")),
        ({"appendonly": "no", "save": "60 1"}, ("risks", "persistence")),
        ({"appendfsync": "no"}, ("risks", "fsync")),
        ({"maxmemory": "0"}, ("risks", "no_limit")),
    ],
)
def test_each_setting_that_costs_jobs_is_found(options: dict[str, str], expected: tuple[str, str]) -> None:
    with server(**options) as redis:
        assert codes(check_store(redis)) == [expected]


@pytest.mark.parametrize(
    ("ahead_s", "complaint"), [(60, "60 s ahead of"), (-3_600, "3,600 s behind"), (2, None), (-2, None)]
)
def test_a_clock_that_is_far_from_the_servers_is_named(
    monkeypatch: pytest.MonkeyPatch, ahead_s: int, complaint: str | None
) -> None:
    real = time.time
    monkeypatch.setattr("shared.store_check.time.time", lambda: real() + ahead_s)
    with server() as redis:
        found = check_store(redis)

    assert codes(found) == ([] if complaint is None else [("risks", "clock")])
    assert complaint is None or complaint in found[0].message


def test_what_breaks_a_promise_comes_before_what_risks_one() -> None:
    with server(**{"maxmemory-policy": "allkeys-lru", "appendonly": "no", "maxmemory": "0"}) as redis:
        assert [level for level, _ in codes(check_store(redis))] == ["breaks", "risks", "risks"]


def test_without_config_eviction_is_still_seen_and_the_message_says_what_is_not() -> None:
    with server(**{"maxmemory-policy": "allkeys-lru", "appendonly": "no"}) as redis:
        redis.execute_command("ACL", "SETUSER", "default", "-config")
        evicting, persisting = check_store(redis)
    assert evicting.code == "eviction"
    assert "CONFIG is forbidden" in persisting.message


def test_a_server_that_tells_nothing_of_itself_is_said_to_be_unchecked() -> None:
    with server(**{"maxmemory-policy": "allkeys-lru"}) as redis:
        redis.execute_command("ACL", "SETUSER", "default", "-config", "-info")
        (found,) = check_store(redis)
    assert (found.level, found.code) == ("risks", "unknown")
    assert "could not be checked" in found.message


@pytest.mark.parametrize(
    ("version", "is_too_old"), [("6.2.14", True), ("5.0.0", True), ("7.0.0", False), ("8.2", False)]
)
def test_a_version_without_what_the_scripts_need_is_refused(version: str, is_too_old: bool) -> None:
    info = {"redis_version": version, "maxmemory": 1, "maxmemory_policy": "noeviction", "aof_enabled": 1}
    assert [finding.code for finding in judge(info, {})] == (["version"] if is_too_old else [])
