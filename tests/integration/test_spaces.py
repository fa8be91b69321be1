"""`deploy/spaces/push.py` as a user runs it, against a Hub on this machine."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.space_server import SpaceServer, running_space_server

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
SPACE = "somebody/comments"


@pytest.fixture
def hub() -> Iterator[SpaceServer]:
    with running_space_server() as server:
        yield server


def push(
    hub: SpaceServer, tmp_path: Path, *arguments: str, token: str | None = None
) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    environment.pop("HF_TOKEN", None)
    if token is not None:
        environment["HF_TOKEN"] = token
    command = [sys.executable, "deploy/spaces/push.py", SPACE, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False)


def test_a_space_is_created_with_its_settings_and_all_that_its_image_needs(hub: SpaceServer, tmp_path: Path) -> None:
    done = push(hub, tmp_path, "--set", "MODEL=somebody/my-kobert", "--private", token=hub.token)

    assert done.returncode == 0, done.stderr
    space = hub.spaces[SPACE]
    assert f"{hub.url}/spaces/{SPACE}" in done.stdout
    assert space.created_with["sdk"] == "docker"
    assert space.created_with["visibility"] == "private"
    assert space.variables == {"MODEL": "somebody/my-kobert"}
    for name in ("api/main.py", "models/default/model.onnx", "pyproject.toml"):
        assert space.files[name] == (ROOT / name).read_bytes()
    assert space.files["Dockerfile"] == (ROOT / "deploy/spaces/Dockerfile").read_bytes()
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", space.files["Dockerfile"].decode(), re.MULTILINE)
    sources = {source for line in copied for source in line.split()} - {"."}
    assert all(any(name == source or name.startswith(f"{source}/") for name in space.files) for source in sources)


def test_the_readme_of_the_space_has_the_header_that_the_hub_reads(hub: SpaceServer, tmp_path: Path) -> None:
    assert push(hub, tmp_path, token=hub.token).returncode == 0

    readme = hub.spaces[SPACE].files["README.md"].decode()
    header = yaml.safe_load(readme.split("---")[1])
    port = re.search(r"PORT=(\d+)", (ROOT / "deploy/spaces/Dockerfile").read_text())
    assert port is not None
    assert (header["sdk"], header["app_port"]) == ("docker", int(port[1]))


def test_no_test_no_secret_and_no_cache_is_pushed(hub: SpaceServer, tmp_path: Path) -> None:
    assert push(hub, tmp_path, token=hub.token).returncode == 0

    for name in hub.spaces[SPACE].files:
        assert not name.startswith(("tests/", "docs/", ".git", ".venv", ".env")), name
        assert "__pycache__" not in name


def test_pushing_again_removes_what_is_no_longer_there(hub: SpaceServer, tmp_path: Path) -> None:
    assert push(hub, tmp_path, token=hub.token).returncode == 0
    hub.spaces[SPACE].files["api/gone.py"] = b"of an earlier version"

    assert push(hub, tmp_path, token=hub.token).returncode == 0

    assert "api/gone.py" not in hub.spaces[SPACE].files
    assert "api/main.py" in hub.spaces[SPACE].files


@pytest.mark.parametrize("token", [None, "hf_wrong"])
def test_without_the_right_token_it_ends_with_one_sentence(hub: SpaceServer, tmp_path: Path, token: str | None) -> None:
    done = push(hub, tmp_path, token=token)

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert not hub.spaces


def test_a_hub_that_cannot_be_reached_is_named_in_one_sentence(hub: SpaceServer, tmp_path: Path) -> None:
    url = hub.url
    hub.server_close()

    done = push(hub, tmp_path, token=hub.token)

    assert done.returncode == 1
    assert f"{url} cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr
