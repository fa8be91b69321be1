"""The locks of requirements/ have all that is installed, in the versions of constraints.txt, each with hashes."""

import re
import tomllib
from importlib.metadata import distribution, requires
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "requirements"
EXTRAS = ("api", "worker", "xlsx", "parquet", "run", "dev")
LOCKS = sorted(FOLDER.glob("*.lock"))
RELOCK = "run `make lock`"


def entries(lock: Path) -> dict[NormalizedName, str]:
    """What a lock has for each package: its version, marker and hashes."""
    text = lock.read_text().replace("\\\n", " ")
    return {canonicalize_name(re.split(r"[\[=]", line)[0]): line.partition("==")[2] for line in text.splitlines()}


def pins(lock: Path) -> dict[NormalizedName, str]:
    return {name: entry.split()[0] for name, entry in entries(lock).items()}


def project() -> dict[str, Any]:
    return dict(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"])


def direct(extra: str) -> list[Requirement]:
    """What the project says it needs for an extra, its own extras followed."""
    found = [Requirement(line) for line in project()["dependencies"]]
    for line in project()["optional-dependencies"][extra]:
        needed = Requirement(line)
        found += (
            [more for own in needed.extras for more in direct(own)] if needed.name == project()["name"] else [needed]
        )
    return found


def everything(extra: str) -> set[str]:
    """Names of all that an extra needs here, as what is installed says."""
    waiting = [(canonicalize_name(needed.name), frozenset(needed.extras)) for needed in direct(extra)]
    seen = set(waiting)
    while waiting:
        name, extras = waiting.pop()
        for line in requires(distribution(name).metadata["Name"]) or []:
            needed = Requirement(line)
            if needed.marker is None or any(needed.marker.evaluate({"extra": one}) for one in extras or {""}):
                found = (canonicalize_name(needed.name), frozenset(needed.extras))
                if found not in seen:
                    seen.add(found)
                    waiting.append(found)
    return {name for name, _ in seen}


def test_there_is_a_lock_for_each_extra_that_needs_no_torch() -> None:
    assert {lock.stem for lock in LOCKS} == {*EXTRAS, "build", "tools"}
    assert set(project()["optional-dependencies"]) == {
        *EXTRAS,
        "clients",
        "embedded",
        "convert",
        "convert-any",
        "training",
        "examples",
    }


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_package_of_a_lock_has_a_version_and_hashes(lock: Path) -> None:
    assert entries(lock)
    for name, entry in entries(lock).items():
        assert re.fullmatch(r"[\w.+!]+( ; [^#]+?)?( +--hash=sha256:[0-9a-f]{64})+ *", entry), name


@pytest.mark.parametrize("extra", EXTRAS)
def test_a_lock_has_all_that_its_extra_needs(extra: str) -> None:
    locked = pins(FOLDER / f"{extra}.lock")
    unfit = [
        str(needed)
        for needed in direct(extra)
        if locked.get(canonicalize_name(needed.name), "") not in needed.specifier
    ]

    assert not unfit, RELOCK
    assert everything(extra) <= set(locked), RELOCK


@pytest.mark.parametrize("extra", EXTRAS)
def test_a_lock_has_the_versions_of_the_constraints(extra: str) -> None:
    lines = (ROOT / "constraints.txt").read_text().split()
    wanted = {canonicalize_name(line.partition("==")[0]): line.partition("==")[2] for line in lines}
    locked = pins(FOLDER / f"{extra}.lock")

    assert {name: version for name, version in locked.items() if wanted.get(name, version) != version} == {}, RELOCK


def test_make_installs_by_hash_all_that_has_a_lock() -> None:
    recipe = (ROOT / "Makefile").read_text()
    installs = re.findall(r"pip\) install ([^\n]*)|PIP\) (.*)", recipe)
    unlocked = [
        line for pair in installs for line in pair if line and "$(LOCKED)" not in line and "--no-deps" not in line
    ]

    assert "--require-hashes" in recipe
    without = (
        "'.[dev,training]'",
        "'.[convert]'",
        "'.[convert-any]'",
        "'.[examples]'",
    )  # torch; and what the examples alone need
    assert all(any(extras in line for extras in without) for line in unlocked), unlocked


@pytest.mark.parametrize("name", ["Dockerfile.api", "Dockerfile.worker", "deploy/spaces/Dockerfile"])
def test_an_image_installs_by_hash_all_that_has_a_lock(name: str) -> None:
    text = (ROOT / name).read_text().replace("\\\n", " ")
    unlocked = [line for line in re.findall(r"pip --python \S+ install [^\n]*", text) if "--require-hashes" not in line]

    assert all("--no-deps" in line or "TORCH_INDEX_URL" in line for line in unlocked), unlocked
