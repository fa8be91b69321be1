"""What the API knows of its workers, with a store that the test fills."""

import asyncio

from api.queue.fleet import Fleet
from shared import keys
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

    async def ping(self) -> bool:
        return True

    async def info(self, _section: str) -> dict[str, int]:
        return {}

    async def zrange(self, key: str, _first: int, _last: int) -> list[bytes]:
        assert key == keys.WORKERS
        self.looks += 1
        return [worker_id.encode() for worker_id in self.beats]

    async def mget(self, _names: list[str]) -> list[bytes]:
        return list(self.beats.values())


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
