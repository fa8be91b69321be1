"""What runs before a commit and in CI is what `make` runs."""

import ast
import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
SLOW = sorted(path for folder in ("integration", "e2e") for path in (ROOT / "tests" / folder).rglob("test_*.py"))


def test_the_hooks_run_what_make_lint_runs() -> None:
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe is not None
    linted = [line.strip().removeprefix("$(BIN)/").removesuffix(" .") for line in recipe[1].splitlines()]
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    hooked = [hook["entry"].removeprefix(".venv/bin/") for repo in config["repos"] for hook in repo["hooks"]]

    assert hooked == linted


def test_the_workflow_runs_the_one_script_on_every_python_that_the_project_names() -> None:
    (job,) = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"].values()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [line.rpartition(" ")[2] for line in project["classifiers"] if "Python :: 3." in line]

    assert job["strategy"]["matrix"]["python"] == named
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]


def test_the_changelog_has_a_section_for_what_comes_next() -> None:
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert headings[0] == "Unreleased"
    assert all(re.fullmatch(r"\d+\.\d+\.\d+ - (\d{4}-\d\d-\d\d|not released yet)", heading) for heading in headings[1:])


@pytest.mark.parametrize("path", SLOW, ids=lambda path: path.stem)
def test_every_slow_test_is_marked_so_that_make_slow_test_runs_it(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    if re.search(r"^pytestmark = .*pytest\.mark\.(integration|e2e)", source, re.MULTILINE):
        return
    tests = [node for node in ast.parse(source).body if getattr(node, "name", "").startswith("test_")]
    marks = [ast.unparse(decorator) for test in tests for decorator in test.decorator_list]  # type: ignore[attr-defined]
    assert len([mark for mark in marks if re.match(r"pytest\.mark\.(integration|e2e|slow)$", mark)]) == len(tests)


def test_every_benchmark_that_has_a_smoke_run_is_run_by_ci() -> None:
    makefile = (ROOT / "Makefile").read_text()
    smoked = re.search(r"^SMOKED :=((?:[^\n]*\\\n)*[^\n]*)", makefile, re.MULTILINE)
    assert smoked is not None
    scripts = [*(ROOT / "bench").glob("*.py"), *(ROOT / "bench").glob("*/__main__.py")]
    able = [path for path in scripts if '"--smoke"' in path.read_text(encoding="utf-8")]
    names = {path.parent.name if path.stem == "__main__" else path.stem for path in able}

    assert set(smoked[1].replace("\\", " ").split()) == names
