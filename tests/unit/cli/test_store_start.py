"""How `kobert run` learns that its store answers, without the Redis client."""

import asyncio
from pathlib import Path

import pytest

from cli.store_start import StoreState, ask, wait_for_store
from shared.errors import StartupError


async def answering(path: Path, *answers: bytes) -> asyncio.Server:
    """A store that gives `answers` in turn, one a connection."""
    waiting = iter(answers)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert (await reader.readline()).startswith(b"EXISTS ")
        writer.write(next(waiting))
        writer.close()

    return await asyncio.start_unix_server(answer, path)


async def test_a_store_that_is_not_there_is_silent(short_tmp: Path) -> None:
    assert await ask(short_tmp / "s") is StoreState.SILENT


async def test_a_store_that_loads_its_data_and_one_that_is_ready_are_told_apart(short_tmp: Path) -> None:
    loading, broken = b"-LOADING Valkey is loading the dataset in memory\r\n", b"-NOPERM\r\n"
    async with await answering(short_tmp / "s", loading, b":1\r\n", b"", broken):
        assert [await ask(short_tmp / "s") for _ in range(4)] == [
            StoreState.LOADING,
            StoreState.ANSWERS,
            StoreState.SILENT,
            StoreState.SILENT,
        ]


async def test_a_store_that_never_answers_is_given_up_and_one_that_loads_is_not(
    short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.store_start.STORE_START_S", 0.05)
    with pytest.raises(StartupError, match="has not answered"):
        await wait_for_store(short_tmp / "s", short_tmp)
    monkeypatch.setattr("cli.store_start.POLL_S", 0.04)
    async with await answering(short_tmp / "s", *[b"-LOADING\r\n"] * 4, b":0\r\n"):
        await wait_for_store(short_tmp / "s", short_tmp)
