import tracemalloc
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from api.jobs.results import Selection
from api.reviews.picking import Room, pick_items
from api.reviews.records import Order, ReviewItem
from shared.jobs.packing import pack_rows, pack_verdicts
from shared.jobs.records import Row, Verdicts
from shared.verdict import Outcome, Verdict

ROWS_PER_CHUNK = 50


class ManyChunks:
    """The results of a job, as `JobService` gives them; row `n` has a score of n / 10,000."""

    def __init__(self, chunks: int, chars: int) -> None:
        self.chunks = chunks
        self.text = "가" * chars

    async def result_starts(self, _job_id: str) -> list[int]:
        return [number * ROWS_PER_CHUNK for number in range(self.chunks)]

    async def result_chunk(self, _job_id: str, first_row: int) -> bytes:
        rows = [Row(number, self.text, msgspec.Raw(b"[]")) for number in range(first_row, first_row + ROWS_PER_CHUNK)]
        verdicts: list[Outcome] = [Verdict("hate", 1.0, {"hate": row.line / 10_000}, ["hate"]) for row in rows]
        return pack_verdicts(Verdicts(["hate"], "0", verdicts)) + pack_rows(rows)

    async def run(self, work: Callable[..., Any], *arguments: Any) -> Any:
        return work(*arguments)


class AnyJob:
    id = "job_1"


async def pick(jobs: ManyChunks, order: Order, room: Room) -> tuple[list[ReviewItem], int]:
    return await pick_items(jobs, AnyJob(), Selection(), order, room)  # type: ignore[arg-type]


@pytest.mark.parametrize("order", ["uncertain", "file"])
async def test_no_more_text_is_held_than_a_queue_has_room_for(order: Order) -> None:
    jobs = ManyChunks(40, 10_000)
    tracemalloc.start()
    items, left_out = await pick(jobs, order, Room(5_000, 100_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    # A chunk of 50 such rows has a megabyte, and all 2,000 rows have 40.
    assert (len(items), left_out) == (10, 1_990)
    assert peak < 12_000_000


async def test_the_rows_closest_to_one_half_are_picked_wherever_they_are() -> None:
    items, left_out = await pick(ManyChunks(120, 3), "uncertain", Room(5, 1_000))
    assert ([item.row for item in items], left_out) == ([5_001, 5_000, 5_002, 4_999, 5_003], 5_995)


async def test_in_the_order_of_the_file_the_first_rows_are_picked() -> None:
    items, _ = await pick(ManyChunks(3, 100), "file", Room(1_000, 320))
    assert [(item.item, item.row) for item in items] == [(1, 1), (2, 2), (3, 3)]
