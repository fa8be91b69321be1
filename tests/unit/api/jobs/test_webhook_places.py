"""Who gets the places of webhooks, with a resolver of the test's own: one entry that stands for any name."""

import asyncio
import socket
from contextlib import ExitStack
from typing import Any, cast

import pytest
from redis import Redis

from api.access.keyring import Keyring
from api.jobs.service import JobService
from api.jobs.webhook_places import MOST_WAIT_S, AddressBusyError, WebhookPlaces
from api.jobs.webhook_queue import Busy, DueWebhook, WebhookEnd, WebhookQueue
from api.jobs.webhooks import WebhookSender
from shared import keys
from shared.jobs.records import Job, JobSpec
from shared.settings import Settings
from tests.support.valkey import running_valkey

SETTINGS = Settings(webhook_secret="s", webhook_allow_private=True, webhook_concurrency=4, webhook_host_concurrency=2)


def due(job: str, attempt: int = 1, owner: str = "") -> DueWebhook:
    return DueWebhook(job, owner, f"{job}.example", attempt)


def test_an_address_has_its_part_whatever_the_name_and_each_key_its_own() -> None:
    places = WebhookPlaces(16, 2)
    with places.address("a", "192.0.2.1", 443), places.address("a", "192.0.2.1", 443):
        with pytest.raises(AddressBusyError), places.address("a", "192.0.2.1", 443):
            pass
        with places.address("b", "192.0.2.1", 443), places.address("a", "192.0.2.2", 443):
            pass
    with places.address("a", "192.0.2.1", 443):
        pass


def test_the_ports_of_an_address_have_half_of_the_places_together() -> None:
    places = WebhookPlaces(8, 2)
    with ExitStack() as held:
        for port in (80, 80, 443, 443):
            held.enter_context(places.address("", "192.0.2.1", port))
        with pytest.raises(AddressBusyError):
            held.enter_context(places.address("", "192.0.2.1", 8080))


def test_a_network_of_ipv6_is_one_address_and_ipv4_inside_it_is_not() -> None:
    places = WebhookPlaces(16, 1)
    with (
        places.address("", "2001:db8::1", 443),
        pytest.raises(AddressBusyError),
        places.address("", "2001:db8::9:1", 443),
    ):
        pass
    mapped = places.address("", "::ffff:192.0.2.1", 443), places.address("", "::ffff:192.0.2.2", 443)
    with mapped[0], mapped[1], pytest.raises(AddressBusyError), places.address("", "192.0.2.1", 443):
        pass


def test_many_that_wait_for_an_address_are_looked_up_seldom() -> None:
    places = WebhookPlaces(16, 1)
    waits = []
    with places.address("", "192.0.2.1", 443):
        for _ in range(2_000):
            with pytest.raises(AddressBusyError) as caught, places.address("", "192.0.2.1", 443):
                pass
            waits.append(caught.value.wait_s)
    assert min(waits) >= 2
    assert max(waits) <= MOST_WAIT_S + 1
    assert sum(wait <= 10 for wait in waits) < 300


def test_retries_have_at_most_half_of_the_places() -> None:
    places = WebhookPlaces(4, 2)
    places.take(due("a", attempt=2))
    assert not places.busy(has_several_owners=False).has_retries
    places.take(due("b", attempt=3))
    assert places.busy(has_several_owners=False).has_retries
    places.take(due("c"))
    places.take(due("d"))
    assert places.is_full
    places.give_back(due("a", attempt=2))
    assert not places.busy(has_several_owners=False).has_retries
    assert not places.is_full


@pytest.mark.integration
def test_a_claim_passes_retries_over_and_a_postponed_attempt_does_not_count() -> None:
    with running_valkey() as url, Redis.from_url(url) as redis:
        queue = WebhookQueue(redis)
        for job, attempts in (("tried", 1), ("new", 0)):
            fields = {"webhook": f"http://{job}.example/", "owner": "", "webhook_attempts": attempts}
            redis.hset(keys.JOB + job, mapping=fields)
            redis.zadd(keys.JOB_WEBHOOKS, {job: 1})

        assert queue.claim(60, Busy(has_retries=True)) == due("new")
        assert queue.claim(60, Busy(has_retries=True)) is None
        queue.settle("new", WebhookEnd("postponed"))
        assert queue.claim(60, Busy(has_retries=True)) == due("new")
        assert queue.claim(60, Busy()) == due("tried", attempt=2)


class Jobs:
    """Webhooks of jobs at many names, all of which are due at once; those postponed come again at the end."""

    def __init__(self, hosts: list[str], port: int) -> None:
        self.hosts = {f"job_{number}": host for number, host in enumerate(hosts)}
        self.waiting = [DueWebhook(job, "", host, 1) for job, host in self.hosts.items()]
        self.port = port
        self.ends: dict[str, str] = {}
        self.postponed = 0

    async def claim_webhook(self, _hold_s: int, busy: Busy) -> DueWebhook | None:
        for found in self.waiting:
            if found.receiver not in busy.receivers:
                self.waiting.remove(found)
                return found
        return None

    async def webhook_job(self, job_id: str, _owner: str) -> Job:
        spec = JobSpec(format="txt", text_column=None, webhook_url=f"http://{self.hosts[job_id]}:{self.port}/")
        return Job(
            id=job_id, owner="", status="completed", spec=spec, total=1, completed=1, failed=0, label_counts={},
            label_names=[], times={}, errors=[], rows_per_s=None,
        )  # fmt: skip

    async def settle_webhook(self, job_id: str, end: WebhookEnd) -> None:
        if end.state == "postponed":
            self.postponed += 1
            self.waiting.append(DueWebhook(job_id, "", self.hosts[job_id], 1))
        else:
            self.ends[job_id] = end.state


def resolver_with_a_wildcard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names under wild.example lead to 127.0.0.2, and every other one to 127.0.0.1."""

    def look_up(host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
        ip = "127.0.0.2" if host.endswith(".wild.example") else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port))]

    monkeypatch.setattr("api.jobs.webhook_target.socket.getaddrinfo", look_up)


async def test_names_under_one_entry_that_never_answer_delay_no_other_receiver(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[asyncio.StreamWriter] = []

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if writer.get_extra_info("sockname")[0] == "127.0.0.2":
            held.append(writer)
            return
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    quick = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = quick.sockets[0].getsockname()[1]
    silent = await asyncio.start_server(answer, "127.0.0.2", port)
    resolver_with_a_wildcard(monkeypatch)
    jobs = Jobs([*(f"{number}.wild.example" for number in range(8)), "quick.example"], port)
    sender = WebhookSender(SETTINGS, cast("JobService", jobs), Keyring())
    sender.start()
    try:
        async with asyncio.timeout(20):
            while "job_8" not in jobs.ends:
                await asyncio.sleep(0.01)
        assert jobs.ends == {"job_8": "delivered"}
        assert len(held) == SETTINGS.webhook_host_concurrency
        assert jobs.postponed >= 6
    finally:
        await sender.close()
        for writer in held:
            writer.close()
        quick.close()
        silent.close()
