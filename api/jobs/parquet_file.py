"""Results as parquet: written to a temporary file a chunk at a time, because parquet ends with its index."""

import asyncio
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from api.jobs.desk import JobDesk
from api.jobs.names import prefix_for, unique
from api.jobs.rendering import Numbered, Table
from api.jobs.results import ResultStream, Selection
from api.uploads.parquet import load_pyarrow
from shared.jobs.records import Job
from shared.verdict import Failure, Outcome

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
        with ParquetTable(job, path) as table:
            # The pieces are empty: rows are written to the file as they are rendered.
            async for _ in ResultStream(desk, job, table, selection).pieces():
                continue
    except BaseException:
        await asyncio.to_thread(path.unlink)
        raise
    headers.pop("Accept-Ranges", None)
    return FileResponse(path, media_type=MEDIA_TYPE, headers=headers, background=BackgroundTask(path.unlink))


class ParquetTable:
    """A renderer that writes to `path`: the user's columns in their types where the file had some, then ours."""

    media_type = MEDIA_TYPE

    def __init__(self, job: Job, path: Path) -> None:
        self._arrow: Any = load_pyarrow("pyarrow")
        self._cells = Table(job, ",", is_safe=False).cells
        theirs = unique(job.spec.columns or ["text"])
        ours = ["classification", "confidence", "labels", *(f"score_{name}" for name in job.label_names), "error"]
        prefix = prefix_for(ours, theirs)
        arrow = self._arrow
        our_types = [arrow.string(), arrow.float64(), arrow.list_(arrow.string())]
        our_types += [arrow.float64()] * len(job.label_names) + [arrow.string()]
        types = [self._type(name) for name in job.spec.column_types or ["string"] * len(theirs)]
        names = [*theirs, *(prefix + name for name in ours)]
        self._schema = arrow.schema(list(zip(names, [*types, *our_types], strict=True)))
        self._label_names = job.label_names
        self._writer = load_pyarrow().ParquetWriter(path, self._schema)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def head(self) -> bytes:
        """Nothing: the file is written elsewhere."""
        return b""

    def lines(self, rows: Iterable[Numbered]) -> bytes:
        """Writes the rows to the file; returns nothing."""
        table = [[*self._cells(row), *self._verdict(outcome)] for _, row, outcome in rows]
        columns = [
            self._column(values, field) for values, field in zip(zip(*table, strict=True), self._schema, strict=True)
        ]
        self._writer.write_table(self._arrow.Table.from_arrays(columns, schema=self._schema))
        return b""

    def _column(self, values: Sequence[Any], field: Any) -> Any:  # noqa: ANN401  an optional library without types
        arrow = self._arrow
        if all(isinstance(value, str) for value in values) and not arrow.types.is_string(field.type):
            # A cell of the user's: text, from which its type follows again.
            return arrow.array([value or None for value in values], arrow.string()).cast(field.type)
        return arrow.array(values, field.type)

    def _type(self, name: str) -> Any:  # noqa: ANN401  an optional library without types
        try:
            return self._arrow.type_for_alias(name)
        except ValueError:
            return self._arrow.string()

    def _verdict(self, outcome: Outcome) -> list[Any]:
        if isinstance(outcome, Failure):
            return [*[None] * (3 + len(self._label_names)), f"{outcome.code}: {outcome.message}"]
        scores = [outcome.scores.get(name) for name in self._label_names]
        return [outcome.classification, outcome.confidence, outcome.labels, *scores, None]
