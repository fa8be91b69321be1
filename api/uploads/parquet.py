"""Reads the rows of a parquet file, a few at a time.

Runs in the process of `api.uploads.extraction`, whose limits bound what a hostile file can cost.
"""

import io
from collections.abc import Iterator
from typing import IO, Any

import msgspec
from arro3.core import DataType, Field, RecordBatch, Schema
from arro3.io import read_parquet as open_parquet
from arro3.io import write_ndjson

from api.uploads.arrow_types import name_of
from api.uploads.columns import check_columns
from api.uploads.frames import Frame, NumberedCells
from shared.errors import MalformedRequestError, TooLargeError

# Few, because one cell may be large and stand in every row.
BATCH_ROWS = 64
_NULL = msgspec.Raw(b"null")
_LINE: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read_parquet(file: IO[bytes], max_bytes: int) -> tuple[Frame, Iterator[NumberedCells]]:
    """The columns with their types, and the rows.

    Raises:
        MalformedRequestError: it is no parquet, now or while iterating.
        TooLargeError: it unpacks to more than `max_bytes`.
    """
    try:
        batches = open_parquet(file, batch_size=BATCH_ROWS)
    except Exception as error:
        raise MalformedRequestError(f"the file is not parquet: {str(error)[:200]}") from error
    schema = batches.schema
    fields = [schema.field(place) for place in range(len(schema))]
    names = [field.name for field in fields]
    check_columns(names)
    types = [name_of(field.type) for field in fields]
    return Frame(columns=names, column_types=types), _rows(batches, max_bytes)


def _rows(batches: Any, max_bytes: int) -> Iterator[NumberedCells]:  # noqa: ANN401  a reader of batches
    number = size = 0
    for batch in batches:
        lines = _as_json(batch)
        # A value that is stored once can stand in every row.
        size += max(batch.nbytes, len(lines))
        if size > max_bytes:
            raise TooLargeError(f"the file unpacks to more than {max_bytes:,} bytes (MAX_JOB_BYTES); split it")
        for line in lines.split(b"\n")[:-1]:
            number += 1
            cells = _LINE.decode(line)
            yield number, [cells.get(str(place), _NULL) for place in range(batch.num_columns)]


def _as_json(batch: Any) -> bytes:  # noqa: ANN401  a batch
    """A JSON object a row, its columns by number, because names may come twice. Rust writes it, to the last digit."""
    out = io.BytesIO()
    columns = [_readable(column) for column in batch.columns]
    schema = Schema([Field(str(place), column.type) for place, column in enumerate(columns)])
    write_ndjson(RecordBatch.from_arrays(columns, schema=schema), out, explicit_nulls=True)
    return out.getvalue()


def _readable(column: Any) -> Any:  # noqa: ANN401  an array
    """Dictionaries as what they stand for."""
    kind = column.type
    return column.cast(kind.value_type) if DataType.is_dictionary(kind) else column
