"""`make release`, in a repository made for each test."""

import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

SCRIPT = Path(__file__).resolve().parents[2] / "deploy" / "release.py"
CHANGES = (
    "# Changelog\n\n## Unreleased\n\n## 0.2.0 - not released yet\n\n- A change.\n\n## 0.1.0 - 2020-01-01\n\n- A.\n"
)
PROJECT = '[project]\nname = "p"\nversion = "0.1.0"\n'


class Repository:
    """A folder with the two files that a release changes, committed."""

    def __init__(self, folder: Path, changes: str = CHANGES) -> None:
        self.folder = folder
        (folder / "CHANGELOG.md").write_text(changes)
        (folder / "pyproject.toml").write_text(PROJECT)
        self.git("init", "--quiet")
        self.git("config", "user.name", "Somebody")
        self.git("config", "user.email", "somebody@example.com")
        self.git("add", ".")
        self.git("commit", "--quiet", "--message", "Begin")

    def git(self, *words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=self.folder, check=True, capture_output=True, text=True
        ).stdout.strip()

    def release(self, version: str, tests: str = "true") -> tuple[int, str]:
        command = [sys.executable, str(SCRIPT), version, "--tests", tests]
        done = subprocess.run(command, cwd=self.folder, check=False, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def version(self) -> str:
        return str(tomllib.loads((self.folder / "pyproject.toml").read_text())["project"]["version"])


def test_a_release_dates_the_changes_sets_the_version_commits_and_tags(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    code, said = repository.release("0.2.0")

    assert (code, repository.version()) == (0, "0.2.0")
    assert "git push" in said
    assert f"## 0.2.0 - {datetime.now(UTC).date()}\n" in (tmp_path / "CHANGELOG.md").read_text()
    assert repository.git("describe", "--exact-match") == "v0.2.0"
    assert repository.git("status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("version", "changes", "reason"),
    [
        ("v0.2", CHANGES, "not a version"),
        ("0.0.9", CHANGES, "older than 0.1.0"),
        ("0.3.0", CHANGES, "no section"),
        ("0.2.0", CHANGES.replace("- A change.", ""), "lists no change"),
    ],
)
def test_what_is_missing_is_named_and_nothing_changes(tmp_path: Path, version: str, changes: str, reason: str) -> None:
    repository = Repository(tmp_path, changes)
    code, said = repository.release(version)

    assert code == 1
    assert reason in said
    assert repository.git("tag", "--list") == repository.git("status", "--porcelain") == ""


def test_a_tree_with_changes_is_not_released(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    (tmp_path / "new.py").write_text("")
    assert "not committed" in repository.release("0.2.0")[1]
    assert repository.git("tag", "--list") == ""


def test_a_version_is_released_once(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    repository.release("0.2.0")
    code, said = repository.release("0.2.0")
    assert code == 1
    assert "exists" in said


def test_after_a_failed_test_the_tree_is_as_it_was(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    code, said = repository.release("0.2.0", tests="false")
    assert code == 1
    assert "failed" in said
    assert repository.git("tag", "--list") == repository.git("status", "--porcelain") == ""
