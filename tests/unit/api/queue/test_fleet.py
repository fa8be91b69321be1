"""What the API knows of its workers, with a store that the test fills."""

import asyncio
import time

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from api.queue.fleet import DOUBT_INTERVALS, FRESH_S, Fleet
from shared import keys
from shared.errors import DiskFullError, NoWorkerError, StoreFullError, StoreUnavailableError, UnavailableError
from shared.messages import Heartbeat, Throughput, encode
from tests.support.heartbeats import ECHO_MODEL

AN_HOUR_S = 3600.0


def heartbeat(worker_id: str) -> bytes:
    return encode(
        Heartbeat(
            worker_id=worker_id,
            host="here",
            pid=1,
            started_at=0.0,
            beat_at=0.0,
            model=ECHO_MODEL,
            throughput=Throughput(),
            waiting_texts=0,
            rss_bytes=0,
        )
    )


class Store:
    """A store with the heartbeats that are in `beats`."""

    def __init__(self) -> None:
        self.beats: dict[str, bytes] = {}
        self.looks = 0
        self.is_away = self.hangs = False
        self.is_full = self.has_full_disk = False
        # Seconds by which its clock was set forward.
        self.step_s = 0
        # Workers whose heartbeats have run out, and those that are not listed.
        self.silent: set[str] = set()
        self.unlisted: set[str] = set()

    async def time(self) -> tuple[int, int]:
        return int(time.perf_counter()) + self.step_s, 0

    async def ping(self) -> bool:
        if self.is_away:
            raise RedisConnectionError
        while self.hangs:
            await asyncio.sleep(1)
        if self.has_full_disk:
            raise ResponseError("MISCONF Errors writing to the AOF file: No space left on device")
        return True

    async def info(self, _section: str) -> dict[str, int]:
        return {"maxmemory": 1, "used_memory": 2} if self.is_full else {}

    async def zrange(self, key: str, _first: int, _last: int) -> list[bytes]:
        assert key == keys.WORKERS
        self.looks += 1
        return [worker_id.encode() for worker_id in self.beats if worker_id not in self.unlisted]

    async def mget(self, names: list[str]) -> list[bytes | None]:
        beats = {keys.worker(worker_id): beat for worker_id, beat in self.beats.items() if worker_id not in self.silent}
        return [beats.get(name) for name in names]


async def test_a_first_worker_is_known_before_the_next_look_at_all_heartbeats_is_due() -> None:
    store = Store()
    fleet = Fleet(store, interval_s=AN_HOUR_S)  # type: ignore[arg-type]  # what it asks of Redis
    await fleet.start()
    assert fleet.workers == []

    store.beats["one"] = heartbeat("one")
    async with asyncio.timeout(60):
        while not fleet.workers:
            await asyncio.sleep(0.01)
    looks = store.looks
    await asyncio.sleep(0.5)
    await fleet.close()

    assert [worker.worker_id for worker in fleet.workers] == ["one"]
    assert store.looks == looks


class Noted:
    """A fleet of one worker, and what it called, in order."""

    def __init__(self, store: Store) -> None:
        self.calls: list[str] = []
        self.fleet = Fleet(store, interval_s=1.0)  # type: ignore[arg-type]  # what it asks of Redis
        self.fleet.on_worker_lost = lambda: self.calls.append("lost")
        self.fleet.on_worker_left = lambda: self.calls.append("left")
        self.fleet.on_store_back = lambda: self.calls.append("back")


async def with_one_worker(monkeypatch: pytest.MonkeyPatch) -> tuple[Store, Noted, list[float]]:
    """A fleet that has seen one worker; the list holds the time."""
    now = [100.0]
    monkeypatch.setattr("api.queue.fleet.time.monotonic", lambda: now[0])
    store = Store()
    store.beats["one"] = heartbeat("one")
    noted = Noted(store)
    await noted.fleet.refresh()
    return store, noted, now


async def after_an_outage(monkeypatch: pytest.MonkeyPatch) -> tuple[Store, Noted, list[float]]:
    """The worker's heartbeat ran out while the store was away; the list holds the time."""
    store, noted, now = await with_one_worker(monkeypatch)
    store.is_away = True
    await noted.fleet.refresh()
    noted.calls.clear()
    store.is_away, store.silent = False, {"one"}
    await noted.fleet.refresh()
    return store, noted, now


async def test_a_worker_that_could_not_write_its_heartbeat_is_not_taken_for_dead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, noted, now = await after_an_outage(monkeypatch)
    now[0] += 1.0
    await noted.fleet.refresh()
    store.silent = set()
    now[0] += DOUBT_INTERVALS
    await noted.fleet.refresh()

    assert noted.calls == ["back"]
    assert [worker.worker_id for worker in noted.fleet.workers] == ["one"]


async def test_a_worker_that_died_while_the_store_was_away_is_found_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    _, noted, now = await after_an_outage(monkeypatch)
    for _ in range(DOUBT_INTERVALS + 2):
        now[0] += 1.0
        await noted.fleet.refresh()

    assert noted.calls == ["back", "lost"]


@pytest.mark.parametrize("fault", ["is_away", "is_full", "has_full_disk"])
async def test_a_worker_that_could_not_write_its_heartbeat_is_counted_until_it_can(fault: str) -> None:
    """Texts were refused with `no_worker` between the store's return and the next heartbeat."""
    store = Store()
    store.beats["one"] = heartbeat("one")
    noted = Noted(store)
    await noted.fleet.refresh()
    setattr(store, fault, True)
    await noted.fleet.refresh()
    store.silent = {"one"}
    await noted.fleet.refresh()
    noted.calls.clear()

    setattr(store, fault, False)
    await noted.fleet.refresh()

    noted.fleet.require_live_worker()
    assert noted.fleet.interactive_count == 1
    assert noted.calls == ["back"]


@pytest.mark.parametrize(("fault", "name"), [("is_full", StoreFullError), ("has_full_disk", DiskFullError)])
async def test_a_store_that_takes_nothing_is_named_though_heartbeats_have_run_out(
    fault: str, name: type[UnavailableError]
) -> None:
    store = Store()
    store.beats["one"] = heartbeat("one")
    noted = Noted(store)
    await noted.fleet.refresh()
    store.silent = {"one"}
    setattr(store, fault, True)
    await noted.fleet.refresh()

    with pytest.raises(name):
        noted.fleet.require_live_worker()


@pytest.mark.parametrize("is_list_gone", [False, True])
async def test_a_heartbeat_that_ran_out_because_the_clock_was_set_forward_says_nothing_of_the_worker(
    *, is_list_gone: bool
) -> None:
    store = Store()
    store.beats["one"] = heartbeat("one")
    noted = Noted(store)
    await noted.fleet.refresh()
    noted.calls.clear()
    store.step_s = 3600
    store.silent, store.unlisted = {"one"}, {"one"} if is_list_gone else set()
    await noted.fleet.refresh()

    noted.fleet.require_live_worker()
    assert noted.calls == []
    store.silent = store.unlisted = set()
    await noted.fleet.refresh()
    noted.fleet.require_live_worker()
    assert noted.calls == []


async def test_a_worker_that_died_as_the_clock_was_set_is_lost_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    store, noted, now = await with_one_worker(monkeypatch)
    noted.calls.clear()
    store.step_s, store.silent = -3600, {"one"}
    for _ in range(DOUBT_INTERVALS + 2):
        await noted.fleet.refresh()
        now[0] += 1.0

    assert noted.calls == ["lost"]
    with pytest.raises(NoWorkerError):
        noted.fleet.require_live_worker()


async def test_what_is_uncertain_is_looked_at_more_often() -> None:
    """A store that takes texts again is known within a tenth of a second or two, and not at the next look."""
    store = Store()
    store.beats["one"] = heartbeat("one")
    store.is_full = True
    fleet = Fleet(store, interval_s=AN_HOUR_S)  # type: ignore[arg-type]  # what it asks of Redis
    await fleet.start()
    store.is_full = False
    async with asyncio.timeout(60):
        while True:
            try:
                fleet.require_live_worker()
            except StoreFullError:
                await asyncio.sleep(0.01)
            else:
                break
    await fleet.close()


async def test_a_worker_that_dies_is_lost_at_the_next_look() -> None:
    store = Store()
    store.beats["one"] = heartbeat("one")
    noted = Noted(store)
    await noted.fleet.refresh()
    noted.calls.clear()
    store.silent = {"one"}
    await noted.fleet.refresh()
    await noted.fleet.refresh()

    assert noted.calls == ["lost"]


async def test_whoever_looks_again_learns_of_what_has_changed_since_the_last_look() -> None:
    store = Store()
    store.beats = {"one": heartbeat("one"), "two": heartbeat("two")}
    fleet = Fleet(store, interval_s=AN_HOUR_S)  # type: ignore[arg-type]  # what it asks of Redis
    await fleet.start()
    del store.beats["two"]
    await asyncio.sleep(FRESH_S)

    await asyncio.gather(*(fleet.look_again() for _ in range(10)))

    assert [worker.worker_id for worker in fleet.workers] == ["one"]
    assert store.looks == 2
    await fleet.close()


async def test_a_store_that_is_away_is_looked_for_more_often_than_its_workers() -> None:
    store = Store()
    store.beats["one"] = heartbeat("one")
    fleet = Fleet(store, interval_s=AN_HOUR_S)  # type: ignore[arg-type]  # what it asks of Redis
    store.is_away = True
    await fleet.start()
    await asyncio.sleep(0.3)

    store.is_away = False
    async with asyncio.timeout(60):
        while not fleet.store_answers:
            await asyncio.sleep(0.01)
    assert [worker.worker_id for worker in fleet.workers] == ["one"]
    await fleet.close()


async def test_a_store_that_another_part_found_lost_is_asked_at_once() -> None:
    """A connection may be lost though the store is there: texts were refused until the next look was due."""
    store = Store()
    store.beats["one"] = heartbeat("one")
    fleet = Fleet(store, interval_s=AN_HOUR_S)  # type: ignore[arg-type]  # what it asks of Redis
    await fleet.start()

    fleet.mark_store_lost()
    with pytest.raises(StoreUnavailableError):
        fleet.require_live_worker()
    async with asyncio.timeout(60):
        while not fleet.store_answers:
            await asyncio.sleep(0.01)

    fleet.require_live_worker()
    await fleet.close()


async def test_a_store_that_does_not_answer_holds_nobody_up_who_looks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.queue.fleet.PATIENCE_S", 0.01)
    store = Store()
    store.beats["one"] = heartbeat("one")
    fleet = Fleet(store, interval_s=AN_HOUR_S)  # type: ignore[arg-type]  # what it asks of Redis
    await fleet.start()
    store.hangs = True
    await asyncio.sleep(FRESH_S)

    await fleet.look_again()

    assert [worker.worker_id for worker in fleet.workers] == ["one"]
    await fleet.close()
