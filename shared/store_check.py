"""Whether a Redis can keep what this service promises, read from the server itself.

A job that was accepted must not vanish: not by eviction, not with a replica's next synchronisation, not at a restart.
The embedded store is set up for that; somebody else's Redis may not be.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec
from redis import Redis
from redis.exceptions import RedisError, ResponseError
from structlog.stdlib import BoundLogger

from shared import keys
from shared.errors import StoreUnfitError
from shared.settings import Settings

TIMEOUT_S = 2
OLDEST_VERSION = (7, 0)
SAFE_POLICY = "noeviction"
# A text is dropped unread once its deadline, half a minute away by default, has passed by the worker's clock.
MAX_CLOCK_DIFFERENCE_S = 5.0
_SECTIONS = ("server", "memory", "persistence", "replication", "cluster")
_CONFIG_READ = ("save", "appendfsync", "maxmemory-policy")

Level = Literal["breaks", "risks"]


class Finding(msgspec.Struct, frozen=True):
    """One setting of the server: `breaks` a promise of this service, or `risks` one; `message` says what to set."""

    level: Level
    code: str
    message: str


def check_store(redis: Redis) -> list[Finding]:
    """Ask the server for its settings and judge them; the worst come first.

    Raises:
        RedisError: it does not answer, or not to us.
    """
    findings = judge(_read_info(redis), _read_config(redis), is_paused=_is_paused(redis))
    return sorted([*findings, *_judge_clock(redis)], key=lambda finding: finding.level)


def judge(
    info: Mapping[str, Any] | None, config: Mapping[str, str] | None, *, is_paused: bool = False
) -> Sequence[Finding]:
    """What is wrong with a server of this INFO and CONFIG; None where the server does not tell."""
    if info is None:
        return [_unknown("INFO", "whether it evicts, persists or is a replica")]
    return [
        *_judge_eviction(info, config),
        *_judge_role(info),
        *_judge_version(info),
        *_judge_persistence(info, config, is_paused=is_paused),
        *_judge_memory(info),
    ]


def _judge_eviction(info: Mapping[str, Any], config: Mapping[str, str] | None) -> Iterator[Finding]:
    policy = info.get("maxmemory_policy") or (config or {}).get("maxmemory-policy")
    if policy is None:
        yield _unknown("maxmemory-policy", "whether it evicts keys")
    elif policy != SAFE_POLICY:
        yield Finding(
            "breaks",
            "eviction",
            f"the Redis at REDIS_URL has maxmemory-policy {policy}: when its memory is full it drops accepted jobs; "
            f"set maxmemory-policy {SAFE_POLICY}",
        )


def _judge_role(info: Mapping[str, Any]) -> Iterator[Finding]:
    if info.get("role", "master") != "master":
        yield Finding(
            "breaks",
            "replica",
            "the Redis at REDIS_URL is a replica: it takes no writes, or loses them; name its primary in REDIS_URL",
        )
    if int(info.get("cluster_enabled", 0)):
        yield Finding(
            "breaks",
            "cluster",
            "the Redis at REDIS_URL is a cluster, over which jobs cannot be kept whole; use a single server",
        )


def _judge_version(info: Mapping[str, Any]) -> Iterator[Finding]:
    version = str(info.get("redis_version", ""))
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers and numbers < OLDEST_VERSION:
        oldest = ".".join(map(str, OLDEST_VERSION))
        yield Finding(
            "breaks",
            "version",
            f"the Redis at REDIS_URL is version {version}; bulk jobs need Redis {oldest} or Valkey, or newer",
        )


def _judge_persistence(
    info: Mapping[str, Any], config: Mapping[str, str] | None, *, is_paused: bool
) -> Iterator[Finding]:
    if is_paused:
        yield Finding(
            "risks",
            "disk_full",
            "the store's disk is full: texts are answered, jobs are not accepted until there is room again",
        )
    elif not int(info.get("aof_enabled", 1)):
        yield _no_append_only_file(config)
    elif (config or {}).get("appendfsync") == "no":
        yield Finding(
            "risks",
            "fsync",
            "the Redis at REDIS_URL leaves it to the system when it writes (appendfsync no): a power cut can cost half "
            "a minute of accepted jobs; set appendfsync everysec",
        )


def _no_append_only_file(config: Mapping[str, str] | None) -> Finding:
    advice = "set appendonly yes and appendfsync everysec"
    if config is None:
        snapshots = "whether it takes snapshots could not be read, because CONFIG is forbidden"
    elif config.get("save"):
        snapshots = "a restart costs what was accepted since its last snapshot"
    else:
        snapshots = "a restart costs every job"
    return Finding("risks", "persistence", f"the Redis at REDIS_URL keeps no append-only file ({snapshots}); {advice}")


def _judge_memory(info: Mapping[str, Any]) -> Iterator[Finding]:
    if not int(info.get("maxmemory", 0)):
        yield Finding(
            "risks",
            "no_limit",
            "the Redis at REDIS_URL has no maxmemory, so uploads are not refused before the machine's memory is full; "
            "set maxmemory",
        )


def _judge_clock(redis: Redis) -> Iterator[Finding]:
    try:
        seconds, microseconds = redis.time()
    except ResponseError:
        return
    ahead_s = time.time() - (seconds + microseconds / 1e6)
    if abs(ahead_s) > MAX_CLOCK_DIFFERENCE_S:
        way = "ahead of" if ahead_s > 0 else "behind"
        yield Finding(
            "risks",
            "clock",
            f"the clock of this machine is {abs(ahead_s):,.0f} s {way} that of the Redis at REDIS_URL: texts pass "
            "their deadlines too early or too late; set the clocks of all machines by NTP",
        )


def _unknown(what: str, effect: str) -> Finding:
    return Finding(
        "risks",
        "unknown",
        f"the Redis at REDIS_URL does not tell its {what}, so it could not be checked {effect}; "
        f"see the settings that it needs in docs/operations.md",
    )


def _is_paused(redis: Redis) -> bool:
    try:
        return bool(redis.exists(keys.STORE_PAUSED))
    except ResponseError:
        return False  # a cluster that serves no key, which is found by its settings


def _read_info(redis: Redis) -> Mapping[str, Any] | None:
    # One section at a time: before Redis 7 INFO takes no more.
    found: dict[str, Any] = {}
    try:
        for section in _SECTIONS:
            found |= redis.info(section)
    except ResponseError:
        return found or None
    return found


def _read_config(redis: Redis) -> Mapping[str, str] | None:
    found: dict[str, str] = {}
    try:
        for name in _CONFIG_READ:
            found |= redis.config_get(name)  # type: ignore[arg-type]  # redis-py types it loosely
    except ResponseError:
        return None
    return found


def breaking(findings: Sequence[Finding]) -> list[Finding]:
    """Those that break a promise."""
    return [finding for finding in findings if finding.level == "breaks"]


def log_changes(log: BoundLogger, before: Sequence[Finding], now: Sequence[Finding]) -> None:
    """One line for each finding that is new, and one when nothing is left to find."""
    for finding in now:
        if finding not in before:
            event = "store_unfit" if finding.level == "breaks" else "store_at_risk"
            log.warning(event, fault=finding.code, advice=finding.message)
    if before and not now:
        log.info("store_fit")


def require_fit_store(settings: Settings, log: BoundLogger) -> None:
    """Check the store before a process starts. One that does not answer yet is checked once it does, by the API.

    Raises:
        StoreUnfitError: it breaks a promise, and STORE_CHECKS is `refuse`.
    """
    if settings.redis_url is None or settings.store_checks == "off":
        return
    try:
        with Redis.from_url(settings.redis_url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S) as redis:
            found = check_store(redis)
    except (RedisError, OSError):
        return
    log_changes(log, [], found)
    if breaking(found) and settings.store_checks == "refuse":
        raise StoreUnfitError(refusal_of(found))


def refusal_of(findings: Sequence[Finding]) -> str:
    """All that breaks a promise, and how to start all the same."""
    reasons = "; ".join(finding.message for finding in breaking(findings))
    return f"{reasons}; or start all the same with STORE_CHECKS=warn"
