"""One service with the included model, which all tests of doors ask; it has keys."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.doors import KEY, OTHER_KEY
from tests.support.stack import ROOT, Stack, running_stack


@pytest.fixture(scope="session")
def service() -> Iterator[Stack]:
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as folder,
        running_stack(
            Path(folder),
            ROOT / "models" / "default",
            worker_module="worker.main",
            api_keys=f"{KEY},{OTHER_KEY}",
            job_poll_s=0.5,
        ) as running,
    ):
        yield running
