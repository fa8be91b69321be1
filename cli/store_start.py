"""Waits until the embedded store answers.

It is asked over its socket, in its protocol's inline form: the service's processes need not wait until this one has
loaded the Redis client too.
"""

import asyncio
import enum
from pathlib import Path

from shared import keys
from shared.errors import StartupError

STORE_START_S = 30
POLL_S = 0.01
# Not PING, which a store with a full disk refuses.
_QUESTION = f"EXISTS {keys.WORKERS}\r\n".encode()
_NUMBER, _LOADING = b":", b"-LOADING"


class StoreState(enum.Enum):
    """What the store said when it was asked for anything."""

    SILENT = "silent"
    LOADING = "loading"
    ANSWERS = "answers"


async def wait_for_store(path: Path, data_dir: Path) -> None:
    """Wait for the first answer at the socket `path`; a store that says it loads its data is given more time.

    Raises:
        StartupError: it has not answered in time.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + STORE_START_S
    while (state := await ask(path)) is not StoreState.ANSWERS:
        if state is StoreState.LOADING:
            deadline = loop.time() + STORE_START_S
        if loop.time() > deadline:
            raise StartupError(
                f"the embedded store has not answered for {STORE_START_S} s; see store/store.log in {data_dir}"
            )
        await asyncio.sleep(POLL_S)


async def ask(path: Path) -> StoreState:
    """Ask the store once."""
    try:
        reader, writer = await asyncio.open_unix_connection(path)
    except OSError:
        return StoreState.SILENT
    try:
        writer.write(_QUESTION)
        async with asyncio.timeout(STORE_START_S):
            answer = await reader.readline()
    except OSError:
        return StoreState.SILENT
    finally:
        writer.close()
    if answer.startswith(_LOADING):
        return StoreState.LOADING
    return StoreState.ANSWERS if answer.startswith(_NUMBER) else StoreState.SILENT
