"""What several files of integration tests share."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.stack import Stack, running_stack


@pytest.fixture(scope="module")
def stack(echo_bundle: Path) -> Iterator[Stack]:
    """A shared stack for the tests that break nothing."""
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as folder,
        running_stack(Path(folder), echo_bundle, job_chunk_rows=50, job_poll_s=0.5) as running,
    ):
        yield running
