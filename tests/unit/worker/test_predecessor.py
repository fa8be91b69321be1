"""A worker that is started in place of one that died, and workers that live beside it."""

import os
import subprocess
import sys
from typing import Any

import pytest
from fakeredis import FakeRedis

from shared import keys
from shared.messages import Heartbeat, Throughput, encode
from tests.support.heartbeats import ECHO_MODEL
from worker.predecessor import Predecessors, process_space

pytestmark = pytest.mark.integration

HOST = "container"


def write(
    redis: FakeRedis, name: str, pid: int, space: str, *, beat_at: float = 1.0, host: str = HOST, takes: str = "all"
) -> str:
    beat = Heartbeat(
        worker_id=name,
        host=host,
        pid=pid,
        started_at=0.0,
        beat_at=beat_at,
        model=ECHO_MODEL,
        throughput=Throughput(),
        waiting_texts=0,
        rss_bytes=0,
        process_space=space,
        takes=takes,
    )
    redis.set(keys.worker(name), encode(beat))
    redis.zadd(keys.WORKERS, {name: beat_at})
    return name


def alive(redis: FakeRedis) -> set[str]:
    """The names that have a heartbeat; every one stays listed."""
    members: Any = redis.zrange(keys.WORKERS, 0, -1)
    listed = {raw.decode() for raw in members}
    return {name for name in listed if redis.exists(keys.worker(name))}


def gone_pid() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_a_worker_of_this_machine_whose_process_is_gone_is_dead_at_once_where_another_answers() -> None:
    redis = FakeRedis()
    gone = gone_pid()
    write(redis, f"{HOST}-{gone}-a", gone, process_space())
    lives = write(redis, f"{HOST}-{os.getpid()}-b", os.getpid(), process_space())
    # Their ids say nothing here.
    others = {
        write(redis, f"{HOST}-{gone}-c", gone, "another container"),
        write(redis, f"{HOST}-{gone}-d", gone, ""),
        write(redis, f"{HOST}-x-{gone}-e", gone, process_space(), host=f"{HOST}-x"),
    }

    Predecessors(redis, 1.0, HOST, 1).begin()

    assert alive(redis) == {lives, *others}
    assert redis.zcard(keys.WORKERS) == 5


def test_texts_for_an_only_worker_wait_until_the_next_one_answers() -> None:
    redis = FakeRedis()
    gone = gone_pid()
    dead = write(redis, f"{HOST}-{gone}-a", gone, process_space())
    bulk = write(redis, f"{HOST}-{os.getpid()}-b", os.getpid(), process_space(), takes="jobs")
    predecessors = Predecessors(redis, 1.0, HOST, 1)

    predecessors.begin()
    assert alive(redis) == {dead, bulk}
    predecessors.end_rest()
    assert alive(redis) == {bulk}


def test_an_earlier_run_of_a_container_is_dead_when_it_stays_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("worker.predecessor.time.monotonic", lambda: now[0])
    redis = FakeRedis()
    write(redis, f"{HOST}-1-a", 1, "the run before")
    lives = write(redis, f"{HOST}-1-b", 1, "another of this name")
    other = write(redis, f"{HOST}-7-c", 7, "the run before")
    predecessors = Predecessors(redis, 1.0, HOST, 1)

    predecessors.begin()
    assert alive(redis) == {f"{HOST}-1-a", lives, other}
    assert predecessors.wait_s() == 2.5
    now[0] += 3.0
    write(redis, lives, 1, "another of this name", beat_at=2.0)
    assert predecessors.wait_s() == 1.0, "its own heartbeat is there by then"
    predecessors.end_rest()

    assert alive(redis) == {lives, other}


def test_a_worker_without_a_predecessor_ends_nothing() -> None:
    redis = FakeRedis()
    lives = write(redis, f"{HOST}-{os.getpid()}-b", os.getpid(), process_space())
    predecessors = Predecessors(redis, 1.0, HOST, 1)

    predecessors.begin()
    predecessors.end_rest()

    assert alive(redis) == {lives}
