"""Commands that a message prints work where it was printed."""

import subprocess
import sys
from pathlib import Path

import pytest

from shared.commands import install_command, kobert_command, serving_command

pytestmark = pytest.mark.integration

BIN = Path(sys.executable).parent


def says_help(command: str, folder: Path, path: str) -> bool:
    ended = subprocess.run(
        ["/bin/sh", "-c", f"{command} --help"], cwd=folder, env={"PATH": path}, capture_output=True, check=False
    )
    return ended.returncode == 0


@pytest.mark.parametrize("is_activated", [False, True])
def test_the_command_can_be_pasted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_activated: bool) -> None:
    path = f"{BIN}:/usr/bin:/bin" if is_activated else "/usr/bin:/bin"
    monkeypatch.setenv("PATH", path)
    monkeypatch.chdir(tmp_path)
    command = kobert_command("model")
    assert command == ("kobert model" if is_activated else f"{BIN}/kobert model")
    assert says_help(command, tmp_path, path)


def test_from_the_clone_it_is_spelled_as_in_the_documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clone = tmp_path / "clone"
    (clone / ".venv").mkdir(parents=True)
    (clone / ".venv" / "bin").symlink_to(BIN)
    monkeypatch.setattr(sys, "executable", str(clone / ".venv" / "bin" / "python"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.chdir(clone)
    assert kobert_command("jobs", "watch", "a b") == ".venv/bin/kobert jobs watch 'a b'"
    assert serving_command("./내 모델") == "MODEL='./내 모델' .venv/bin/kobert run"


def test_an_extra_is_installed_from_the_clone_with_its_pinned_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).resolve().parents[3])
    command = install_command("training")
    assert command.endswith("pip install --constraint constraints.txt --editable '.[training]'")
