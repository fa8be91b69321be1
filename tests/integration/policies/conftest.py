"""Two workers and two APIs with an engine whose scores are known, for all tests of a file."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.echo import write_echo_bundle
from tests.support.policies import LABELS, LEVELS
from tests.support.stack import Part, Stack, free_port, running_stack, wait_until


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "levelled"
    return write_echo_bundle(
        folder, name="levelled", problem_type="multi_label_classification", labels=LABELS, strictness=LEVELS
    )


@pytest.fixture(scope="module")
def stack(bundle: Path) -> Iterator[Stack]:
    """Two workers; `other_api` is a second API beside its own."""
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as folder,
        running_stack(Path(folder), bundle, workers=2, job_chunk_rows=10, job_poll_s=0.5) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def other_api(stack: Stack) -> Iterator[str]:
    port = free_port()
    api = Part(stack.api.command, {**stack.environment, "PORT": str(port)}, stack.folder / "api-2.log")
    api.start()
    url = f"http://127.0.0.1:{port}"
    wait_until(lambda: _answers(url), "readiness of the second API")
    yield url
    api.stop()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/ready").status_code == 200
    except httpx.TransportError:
        return False
