"""A service of its own for each file of tests of corrections."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.stack import Stack, running_stack


@pytest.fixture(scope="module")
def stack(echo_bundle: Path) -> Iterator[Stack]:
    settings: dict[str, Any] = {"job_chunk_rows": 20, "job_poll_s": 0.5, "max_corrections": 50, "max_text_chars": 200}
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as folder,
        running_stack(Path(folder), echo_bundle, **settings) as up,
    ):
        yield up


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    """A client of a service without corrections."""
    with httpx.Client(base_url=stack.url, timeout=60) as client:
        yield client
        while found := client.get("/corrections", params={"limit": 100}).json()["data"]:
            for one in found:
                client.delete(f"/corrections/{one['id']}")
