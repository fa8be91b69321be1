"""What the API knows of its workers, with a store that the test fills."""

import asyncio

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from api.queue.fleet import DOUBT_INTERVALS, FRESH_S, Fleet
from shared import keys
from shared.errors import StoreUnavailableError
from shared.messages import Heartbeat, ModelInfo, Throughput, encode

AN_HOUR_S = 3600.0


def heartbeat(worker_id: str) -> bytes:
    model = ModelInfo(
        name="echo",
        revision="1",
        problem_type="multi_label_classification",
        labels=["curse", "clean"],
        clean_label="clean",
        strictness="standard",
        thresholds={},
        levels={},
        max_length=64,
    )
    return encode(
        Heartbeat(
            worker_id=worker_id,
            host="here",
            pid=1,
            started_at=0.0,
            beat_at=0.0,
            model=model,
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
        # Workers whose heartbeats have run out.
        self.silent: set[str] = set()

    async def ping(self) -> bool:
        if self.is_away:
            raise RedisConnectionError
        while self.hangs:
            await asyncio.sleep(1)
        return True

    async def info(self, _section: str) -> dict[str, int]:
        return {}

    async def zrange(self, key: str, _first: int, _last: int) -> list[bytes]:
        assert key == keys.WORKERS
        self.looks += 1
        return [worker_id.encode() for worker_id in self.beats]

    async def mget(self, _names: list[str]) -> list[bytes | None]:
        return [None if worker_id in self.silent else beat for worker_id, beat in self.beats.items()]


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


async def after_an_outage(monkeypatch: pytest.MonkeyPatch) -> tuple[Store, Noted, list[float]]:
    """The worker's heartbeat ran out while the store was away; the list holds the time."""
    now = [100.0]
    monkeypatch.setattr("api.queue.fleet.time.monotonic", lambda: now[0])
    store = Store()
    store.beats["one"] = heartbeat("one")
    noted = Noted(store)
    await noted.fleet.refresh()
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
