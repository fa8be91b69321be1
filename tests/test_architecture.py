"""The rules of the house that no linter knows."""

import ast
import functools
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from cli.commands import MODULES as COMMAND_MODULES

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("api", "bundles", "cli", "convert", "models", "shared", "training", "worker")
MACHINE_LEARNING = ("torch", "transformers", "onnxruntime", "numpy", "tokenizers", "onnx")
LONGEST_FILE_LINES = 320


@functools.cache
def modules_after(statement: str) -> frozenset[str]:
    """Modules and their packages that a fresh interpreter has loaded after `statement`."""
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    return frozenset(
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True).stdout.decode().split()
    )


def test_the_api_loads_no_machine_learning() -> None:
    assert not modules_after("import api.main") & set(MACHINE_LEARNING)


def test_the_worker_loads_no_torch_and_no_web_framework() -> None:
    loaded = modules_after("import worker.main")

    assert "onnxruntime" in loaded
    assert not loaded & {"torch", "transformers", "onnx", "fastapi", "starlette", "uvicorn"}


# Each process of a start would pay for them, and a service with the embedded model and store needs none.
DOWNLOADING = {"bundles.hub.repository", "bundles.sources.conversion", "bundles.sources.source_resolver", "filelock"}


@pytest.mark.parametrize(
    ("module", "not_needed"),
    [
        ("cli.main", DOWNLOADING | {"asyncio", "click", "pydantic", "redis", "fastapi", "celery", "httpx"}),
        ("cli.run", DOWNLOADING | {"asyncio", "pydantic", "redis", "fastapi", "celery", "httpx"}),
        ("cli.start", DOWNLOADING | {"redis", "fastapi", "celery", "httpx"}),
        ("api.main", DOWNLOADING | {"celery", "kombu", "httpx", "openpyxl", "pyarrow", "h11", "pydantic.v1.main"}),
        ("worker.main", DOWNLOADING | {"httpx", "openpyxl", "pyarrow"}),
    ],
)
def test_a_start_loads_nothing_that_the_embedded_model_and_store_do_without(module: str, not_needed: set[str]) -> None:
    assert not modules_after(f"import {module}") & not_needed


@pytest.mark.parametrize(
    "model", ["fastapi.openapi.models.OpenAPI", "api.jobs.schemas.JobOut", "api.policies.schemas.PolicyTrial"]
)
def test_the_api_starts_before_its_models_are_built(model: str) -> None:
    module, _, name = model.rpartition(".")
    code = f"import sys, api.main, {module} as m; sys.exit(m.{name}.__pydantic_complete__)"

    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize("module", ["api.main", "worker.main"])
def test_collections_are_off_while_a_process_starts_and_not_where_its_module_is_only_imported(module: str) -> None:
    code = "import runpy, sys, gc, shared.settings as s; s.load_settings = lambda: sys.exit(int(gc.isenabled())); {}"
    started = code.format(f"runpy.run_module({module!r}, run_name='__main__')")
    imported = code.format(f"import {module} as m; s.load_settings()")

    assert subprocess.run([sys.executable, "-c", started], cwd=ROOT, check=False).returncode == 0
    assert subprocess.run([sys.executable, "-c", imported], cwd=ROOT, check=False).returncode == 1


@pytest.mark.parametrize("module", ["bundles.session", "worker.inference.engines.onnx", "convert", "training"])
def test_onnx_runtime_reports_nothing_to_its_vendor(module: str, tmp_path: Path) -> None:
    home = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    home.pop("ORT_DISABLE_TELEMETRY", None)
    code = f"import {module}, onnxruntime"

    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=home, check=True)

    # Where it reports, it keeps a device id and a database of what it has yet to send.
    assert not list(tmp_path.rglob("*"))


def test_the_command_starts_without_machine_learning() -> None:
    commands = ", ".join(COMMAND_MODULES.values())
    assert not modules_after(f"import cli.main, cli.commands, {commands}") & set(MACHINE_LEARNING)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_file_stays_one_noun(package: str) -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in (ROOT / package).rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > LONGEST_FILE_LINES
    }
    assert not long


def test_only_the_composition_roots_read_the_environment() -> None:
    readers = {
        str(path.relative_to(ROOT))
        for package in ("api", "bundles", "shared", "worker")
        for path in (ROOT / package).rglob("*.py")
        if "load_settings(" in (text := path.read_text()) or "os.environ" in text
    }
    assert readers == {
        "api/health.py",
        "api/main.py",
        "shared/settings.py",
        "worker/health.py",
        "worker/main.py",
        "api/keys.py",
        "bundles/prepare.py",
    }


MODULE_NAME = re.compile(rf"({'|'.join(PACKAGES)})(\.[a-z_]\w*)+(:\w+)?")


def modules_named_in_strings() -> Iterator[tuple[str, str]]:
    """Modules that are started or imported by a name in a string, which no linter follows, with the file of each."""
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and MODULE_NAME.fullmatch(node.value):
                    yield node.value.partition(":")[0], str(path.relative_to(ROOT))


def test_every_module_that_a_string_names_exists() -> None:
    named = dict(modules_named_in_strings())

    assert {"api.main", "bundles.hub.fetch", "convert.encoder", "worker.consumer", "worker.main"} <= set(named)
    assert not {module: file for module, file in named.items() if find_spec(module) is None}


STARTS_A_PROCESS = re.compile(r"running_valkey|running_stack|run_process|subprocess|running_hub|running_receiver")


def test_every_test_that_starts_a_real_process_is_marked_as_integration() -> None:
    unmarked = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").rglob("test_*.py")
        if ("integration" in path.parent.parts or ("unit" in path.parts and STARTS_A_PROCESS.search(path.read_text())))
        and "mark.integration" not in path.read_text()
    }
    assert not unmarked


def test_every_package_is_installed() -> None:
    there = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for package in PACKAGES
        for path in (ROOT / package).rglob("__init__.py")
    }
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]

    assert sorted(listed) == sorted(there)
