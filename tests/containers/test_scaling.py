"""More workers by a number, and one of them killed, with engines that sleep: the machine's size does not matter."""

import asyncio
import itertools
import time
from dataclasses import dataclass, field

import httpx
import pytest

from tests.containers.engine import Project, report
from tests.containers.test_compose import predict, wait_ready
from tests.support.echo import echo_scores

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1800)]

CLIENTS = 48
WARM_UP_S = 3
MEASURE_S = 10


@dataclass
class Load:
    """What came back: when each right answer did, and the statuses of all others."""

    answered_at: list[float] = field(default_factory=list)
    other_statuses: list[int] = field(default_factory=list)


async def send(project: Project, seconds: float) -> Load:
    """`CLIENTS` that each wait for one answer at a time, for as long as that."""
    load = Load()
    limits = httpx.Limits(max_connections=CLIENTS, max_keepalive_connections=CLIENTS)
    end = time.monotonic() + seconds

    async def work(client: httpx.AsyncClient, number: int) -> None:
        for turn in itertools.count():
            if time.monotonic() > end:
                return
            text = f"댓글 {number:02d}-{turn:03d}"
            answer = await client.post("/predict", json={"text": text})
            if answer.status_code == 200 and answer.json()["scores"] == echo_scores(text):
                load.answered_at.append(time.monotonic())
            else:
                load.other_statuses.append(answer.status_code)

    async with httpx.AsyncClient(base_url=project.url, timeout=60, limits=limits) as client:
        await asyncio.gather(*(work(client, number) for number in range(CLIENTS)))
    return load


async def load_while(project: Project, command: str, service: str) -> Load:
    """Four seconds of load, after the first of which the engine does `command` to the oldest container of a service."""
    requests = asyncio.create_task(send(project, 4))
    await asyncio.sleep(1)
    await asyncio.to_thread(project.engine.run, command, project.containers(service)[0])
    return await requests


def throughput(project: Project) -> float:
    """Texts a second, once every client has its first answer and until the first client leaves."""
    started = time.monotonic()
    load = asyncio.run(send(project, WARM_UP_S + MEASURE_S))
    assert not load.other_statuses
    return sum(WARM_UP_S < at - started <= WARM_UP_S + MEASURE_S for at in load.answered_at) / MEASURE_S


def test_three_workers_have_three_heartbeats_and_more_than_two_and_a_half_times_the_throughput_of_one(
    echo_project: Project,
) -> None:
    wait_ready(echo_project, 1)
    one = throughput(echo_project)
    echo_project.up("--scale", "worker=3")
    wait_ready(echo_project, 3)
    three = throughput(echo_project)

    report(f"1 worker: {one:.1f} texts/s, 3 workers: {three:.1f} texts/s, ratio {three / one:.2f}")
    assert three / one >= 2.5


def test_a_worker_killed_under_load_loses_no_text(echo_project: Project) -> None:
    echo_project.up("--scale", "worker=3")
    wait_ready(echo_project, 3)

    load = asyncio.run(load_while(echo_project, "kill", "worker"))

    report(f"{len(load.answered_at)} texts answered, {len(load.other_statuses)} refused")
    assert load.answered_at
    assert not load.other_statuses


def test_a_redis_restarted_under_load_leaves_a_service_that_answers(echo_project: Project) -> None:
    load = asyncio.run(load_while(echo_project, "restart", "redis"))

    refused = sorted(set(load.other_statuses))
    report(f"{len(load.answered_at)} texts answered, {len(load.other_statuses)} refused, with {refused}")
    # While Redis is away the answer is an honest 503; nothing ends in any other way.
    assert set(refused) <= {503}
    assert predict(echo_project).status_code == 200
