"""Releases a version: checks, dates the changelog, sets the version, tests, commits and tags.

`make release VERSION=x.y.z` runs it. It pushes nothing. When a check or a test fails, the tree is left as it was.
"""

import argparse
import datetime as dt
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

CHANGELOG = "CHANGELOG.md"
PROJECT = "pyproject.toml"
UNDATED = "not released yet"
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


class Refusal(Exception):  # noqa: N818  it is no error of the program
    """Why this version cannot be released, and what to do."""


def git(*words: str) -> str:
    """The output of a git command."""
    done = subprocess.run(["git", *words], check=True, capture_output=True, text=True)  # noqa: S603, S607  our own words
    return done.stdout.strip()


def check(version: str) -> None:
    """Check everything but the tests.

    Raises:
        Refusal: something is missing.
    """
    if not _VERSION.fullmatch(version):
        raise Refusal(f"VERSION={version} is not a version such as 0.2.0")
    if git("status", "--porcelain"):
        raise Refusal("there are changes that are not committed; commit or stash them")
    if git("tag", "--list", f"v{version}"):
        raise Refusal(f"the tag v{version} exists; choose the next version")
    current = tomllib.loads(Path(PROJECT).read_text())["project"]["version"]
    if numbers(version) < numbers(current):
        raise Refusal(f"{version} is older than {current}, the version in {PROJECT}")
    heading = rf"^## {re.escape(version)} - (.*)$"
    section = re.search(rf"{heading}\n([\s\S]*?)(?=^## |\Z)", Path(CHANGELOG).read_text(), re.MULTILINE)
    if section is None:
        raise Refusal(f"{CHANGELOG} has no section '## {version} - {UNDATED}'; move what is under Unreleased into it")
    if not re.search(r"^- ", section[2], re.MULTILINE):
        raise Refusal(f"the section of {version} in {CHANGELOG} lists no change")


def numbers(version: str) -> tuple[int, ...]:
    """A version as something to compare."""
    return tuple(map(int, version.split(".")))


def write(version: str) -> None:
    """Date the section and set the project's version."""
    today = dt.datetime.now(dt.UTC).date().isoformat()
    replace(CHANGELOG, rf"^## {re.escape(version)} - .*$", f"## {version} - {today}")
    replace(PROJECT, r'^version = ".*"$', f'version = "{version}"')


def replace(name: str, pattern: str, line: str) -> None:
    """Put `line` in place of the first line that matches."""
    path = Path(name)
    path.write_text(re.sub(pattern, line, path.read_text(), count=1, flags=re.MULTILINE))


def release(version: str, tests: str) -> None:
    """Release `version`.

    Raises:
        Refusal: a check or a test failed.
    """
    check(version)
    write(version)
    if subprocess.run(shlex.split(tests), check=False).returncode != 0:  # noqa: S603  what the caller names
        git("checkout", "--", CHANGELOG, PROJECT)
        raise Refusal(f"`{tests}` failed, so nothing was released")
    git("commit", "--all", "--allow-empty", "--message", f"Release {version}")
    git("tag", "--annotate", f"v{version}", "--message", f"Version {version}")


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("version")
    parser.add_argument("--tests", default="make test", help="the command that must succeed")
    arguments = parser.parse_args()
    try:
        release(arguments.version, arguments.tests)
    except Refusal as refusal:
        sys.stderr.write(f"release: {refusal}\n")
        return 1
    sys.stdout.write(f"Tagged v{arguments.version}. Publish it with: git push --follow-tags\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
