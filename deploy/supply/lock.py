"""Pins and hashes every dependency for every Python and system that the project supports: requirements/*.lock.

Usage, as `make lock`: python deploy/supply/lock.py [--upgrade]

Versions are those of constraints.txt; a lock has every file of a version, so that one lock serves Python 3.11 to 3.13
on x86-64 and ARM. torch has none: its CPU build comes from an index of its own on each system.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path("requirements")
# Extras of pyproject.toml, each with a lock of its name.
EXTRAS = ("api", "worker", "xlsx", "parquet", "run", "dev")
# Lists of their own.
LISTS = ("build", "tools")
OLDEST_PYTHON = "3.11"


def command(sources: list[str], lock: Path, options: list[str]) -> list[str]:
    """How uv makes one lock."""
    how = [
        "--universal",
        "--generate-hashes",
        "--no-annotate",
        "--no-header",
        "--no-strip-extras",
        "--quiet",
        "--native-tls",
    ]
    where = ["--python-version", OLDEST_PYTHON, "--output-file", str(lock)]
    return [str(Path(sys.executable).parent / "uv"), "pip", "compile", *sources, *how, *where, *options]


def main() -> None:
    """Make all of them."""
    for extra in EXTRAS:
        limits = ["--constraint", "constraints.txt", "--constraint", str(FOLDER / "build.in")]
        sources = ["pyproject.toml", "--extra", extra, *limits]
        subprocess.run(command(sources, FOLDER / f"{extra}.lock", sys.argv[1:]), cwd=ROOT, check=True)  # noqa: S603
    for name in LISTS:
        sources = [str(FOLDER / f"{name}.in")]
        subprocess.run(command(sources, FOLDER / f"{name}.lock", sys.argv[1:]), cwd=ROOT, check=True)  # noqa: S603


if __name__ == "__main__":
    main()
