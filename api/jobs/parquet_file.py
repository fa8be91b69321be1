"""Results as parquet: written to a temporary file a chunk at a time, because parquet ends with its index."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from api.jobs.desk import JobDesk
from api.jobs.rendering import JsonLines
from api.jobs.results import ResultStream, Selection
from api.uploads.parquet import load_pyarrow
from shared.jobs.records import Job

MEDIA_TYPE = "application/vnd.apache.parquet"


async def parquet_response(desk: JobDesk, job: Job, selection: Selection, headers: dict[str, str]) -> FileResponse:
    """The whole file, with Range support, since it lies on disk.

    Raises:
        UnsupportedMediaError: pyarrow is not installed.
    """
    load_pyarrow()
    with tempfile.NamedTemporaryFile(prefix="kobert-results-", suffix=".parquet", delete=False) as file:
        path = Path(file.name)
    try:
        await _write(path, ResultStream(desk, job, JsonLines(job), selection).pieces(), desk)
    except BaseException:
        await asyncio.to_thread(path.unlink)
        raise
    headers.pop("Accept-Ranges", None)
    return FileResponse(path, media_type=MEDIA_TYPE, headers=headers, background=BackgroundTask(path.unlink))


async def _write(path: Path, pieces: AsyncIterator[bytes], desk: JobDesk) -> None:
    arrow, parquet = load_pyarrow("pyarrow"), load_pyarrow()
    writer: Any = None
    try:
        async for piece in pieces:
            table = await desk.run(_table, arrow, piece)
            if writer is None:
                writer = parquet.ParquetWriter(path, table.schema)
            await desk.run(writer.write_table, table.select(writer.schema.names).cast(writer.schema))
    finally:
        if writer is not None:
            writer.close()


def _table(arrow: Any, piece: bytes) -> Any:  # noqa: ANN401  an optional library without types
    """Rows as columns of strings, but for the numbers that are ours."""
    rows = [msgspec.json.decode(line) for line in piece.splitlines()]
    return arrow.Table.from_pylist(rows)
