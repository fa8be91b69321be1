"""Input files of batches are never held as a whole, nor what is made of their lines."""

import asyncio
import json
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Iterator
from random import Random

import pytest

from api.doors.openai.batch_lines import BatchRows, check_lines
from api.doors.openai.packing import PART_BYTES, packed, unpacked
from shared.errors import NotFoundError

LINES = 20_000


def lines() -> Iterator[bytes]:
    for number in range(LINES):
        row = {"custom_id": str(number), "url": "/v1/moderations", "body": {"input": "a" * 100}}
        yield json.dumps(row).encode() + b"\n"


async def each(parts: list[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def test_a_packed_file_comes_back_in_small_pieces_from_small_parts() -> None:
    for content in (b"", b"a", Random(1).randbytes(1 << 20), b"a" * (8 << 20)):
        parts = list(packed(content[at : at + 70_000] for at in range(0, len(content), 70_000)))
        pieces = list(unpacked(parts))
        assert b"".join(pieces) == content
        assert max(map(len, pieces), default=0) <= PART_BYTES
        assert max(map(len, parts)) < 2 * PART_BYTES


def test_a_file_that_an_earlier_version_kept_as_a_whole_is_read() -> None:
    assert b"".join(unpacked([zlib.compress(b"a" * 1_000_000, 1)])) == b"a" * 1_000_000


def test_a_file_that_is_deleted_while_it_is_read_is_told() -> None:
    parts = list(packed([Random(1).randbytes(1 << 20)]))
    with pytest.raises(NotFoundError):
        list(unpacked(parts[:-1]))


async def test_a_batch_of_a_large_file_takes_little_memory() -> None:
    """49,000 lines with a fault in the last one took 30 MB while they were checked, and the API kept 20 of it."""
    parts = list(packed([*lines(), b"x"]))
    tracemalloc.start()
    found = check_lines(parts, frozenset())
    assert (found.lines, [fault["line"] for fault in found.faults]) == (LINES, [LINES + 1])

    def read(body: BatchRows) -> int:
        return sum(rows.count(b"\n") for rows in body)

    body = BatchRows(each(list(packed(lines()))), max_bytes=1 << 30, stall_s=5)
    assert await asyncio.to_thread(read, body) == LINES
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 300 * LINES
    assert body.received_bytes > 100 * LINES
