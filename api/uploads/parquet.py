"""Reads parquet, which needs its whole file at hand: it is spooled to disk, and read one batch of rows at a time."""

import importlib
import tempfile
from collections.abc import Iterator
from typing import Any

from api.uploads.options import UploadOptions
from api.uploads.rows import find_name, find_text_name, make_row, shown
from shared.errors import MalformedRequestError, UnsupportedMediaError
from shared.jobs.records import Row

BATCH_ROWS = 1_024


def load_pyarrow(name: str = "pyarrow.parquet") -> Any:  # noqa: ANN401  an optional library without types
    """The library, which is an extra because of its size.

    Raises:
        UnsupportedMediaError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UnsupportedMediaError(
            "parquet needs an extra that is not installed here: pip install 'kobert-classifier[parquet]'. "
            "csv and jsonl need none",
            param="format",
        ) from error


class ParquetReader:
    """Iterates the rows; `columns`, `text_at` and `id_column` are known from the start.

    Raises:
        UnsupportedMediaError: pyarrow is not installed.
        MalformedRequestError: it is no parquet file, or has no plain text column.
    """

    def __init__(self, pieces: Iterator[bytes], options: UploadOptions, max_text_chars: int) -> None:
        parquet = load_pyarrow()
        self._max_text_chars = max_text_chars
        # Unnamed, so that it is gone with the process whatever happens.
        self._spool = tempfile.TemporaryFile(prefix="kobert-upload-")  # noqa: SIM115  closed at the end of the rows
        for piece in pieces:
            self._spool.write(piece)
        self._spool.seek(0)
        try:
            self._file = parquet.ParquetFile(self._spool)
        except Exception as error:
            raise MalformedRequestError(f"the file is not parquet: {error}") from error
        self.columns: list[str] = list(self._file.schema_arrow.names)
        self.column_types: list[str] = [str(field.type) for field in self._file.schema_arrow]
        self.text_at = self._find_text(options)
        wanted = options.id_column
        self.id_column = None if wanted is None else self.columns[find_name(self.columns, wanted, "id_column")]

    def __iter__(self) -> Iterator[Row]:
        number = 0
        with self._spool:
            for batch in self._file.iter_batches(batch_size=BATCH_ROWS):
                for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    number += 1
                    fields = [*values[: self.text_at], None, *values[self.text_at + 1 :]]
                    yield make_row(number, values[self.text_at], fields, self._max_text_chars)

    def _find_text(self, options: UploadOptions) -> int:
        found = find_text_name(self.columns, options.text_column)
        if found is None:
            raise MalformedRequestError(
                f"which column holds the text? Say text_column=NAME; the file has {shown(self.columns)}",
                param="text_column",
            )
        return found
