"""Places for uploads are shared, and one is left for whoever has none."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from api.http.caller import note_caller
from api.jobs.upload_slots import UploadSlots
from api.uploads.pull import BodyPull
from shared.errors import OverloadedError
from tests.support.happens import happens


async def nothing() -> AsyncIterator[bytes]:
    yield b""


async def upload(slots: UploadSlots, address: str, until: asyncio.Event) -> None:
    """Hold a place for an address."""
    note_caller({"type": "http", "client": (address, 1)}, None)
    async with slots.taken_by(BodyPull(nothing(), max_bytes=1, stall_s=1)):
        await until.wait()


@pytest.mark.parametrize(("count", "most"), [(1, 1), (2, 2), (4, 3), (8, 6)])
async def test_one_address_leaves_every_fourth_place_to_others(
    count: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.jobs.upload_slots.WAIT_S", 0.2)
    slots, end = UploadSlots(count), asyncio.Event()
    many = [asyncio.create_task(upload(slots, "1.1.1.1", end)) for _ in range(count + 2)]
    await happens(lambda: sum(task.done() for task in many) >= count + 2 - most)
    assert sum(not task.done() for task in many) == most

    other = asyncio.create_task(upload(slots, "2.2.2.2", end))
    # Longer than it waits for a place, if there is none.
    await asyncio.wait([other], timeout=60 if most == count else 0.6)
    assert other.done() == (most == count)
    end.set()
    found = await asyncio.gather(other, *many, return_exceptions=True)
    assert {type(one) for one in found} == {type(None), OverloadedError}
