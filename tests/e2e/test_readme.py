"""The README's own commands, run as they stand against the service as it ships."""

import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.test_run import Run

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
README_URL = "http://localhost:8000"


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    with tempfile.TemporaryDirectory(prefix="kt-") as folder:
        running = Run(Path(folder))
        yield running.wait_ready()
        running.end()


def commands() -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    return [block for block in blocks if block.startswith("curl ")]


def answer_of(command: str, run: Run) -> dict:
    here = command.replace(README_URL, run.url)
    shown = subprocess.run(["bash", "-c", f"{here.strip()} --silent --fail-with-body"], capture_output=True, check=True)
    return json.loads(shown.stdout)


def test_the_first_command_answers_what_the_readme_shows(run: Run) -> None:
    shown = json.loads(re.findall(r"```json\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[0])

    answer = answer_of(commands()[0], run)

    assert list(answer) == list(shown)
    for field in ("text", "classification", "labels", "windows"):
        assert answer[field] == shown[field]


@pytest.mark.parametrize("command", commands())
def test_every_curl_command_is_answered(command: str, run: Run) -> None:
    assert "error" not in answer_of(command, run)


def test_several_texts_are_answered_with_an_error_in_the_place_of_the_empty_one(run: Run) -> None:
    first, empty, last = answer_of(commands()[1], run)["results"]

    assert (first["classification"], last["classification"]) == ("clean", "clean")
    assert empty["error"]["code"] == "empty_text"
