"""Processes that import their program before they are told to run it."""

import asyncio
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from cli.child import Child
from cli.commands import kobert
from cli.early import EarlyProcess, early_process
from tests.support.stack import ROOT, wait_until

pytestmark = pytest.mark.integration

PROGRAM = "tests.support.held_program"


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def test_it_runs_with_what_it_is_told_and_nothing_to_read_and_without_collections(tmp_path: Path) -> None:
    with early_process(PROGRAM) as process:
        time.sleep(0.3)
        assert process.returncode is None
        process.begin({"TOLD": str(tmp_path / "told"), "WORD": "말"})
        assert process.wait() == 7
    assert (tmp_path / "told").read_text() == "말 '' False"


def test_one_that_is_not_needed_ends_without_running(tmp_path: Path) -> None:
    with early_process(PROGRAM) as process:
        pass
    assert process.returncode is not None
    assert not list(tmp_path.iterdir())


def test_one_whose_command_dies_ends_too() -> None:
    command = (
        "import sys, time; from cli.early import EarlyProcess; p = EarlyProcess(sys.argv[1]);"
        "print(p._process.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", command, PROGRAM], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        held = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        wait_until(lambda: not held.is_running() or held.status() == psutil.STATUS_ZOMBIE, "the end of the process")


def test_the_command_runs_the_api_that_has_begun_and_ends_it_where_it_does_not_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: list[Mapping[str, EarlyProcess]] = []
    monkeypatch.setattr("cli.start.start", lambda _, early: given.append(early))
    with early_process(PROGRAM) as process:
        assert CliRunner().invoke(kobert, ["run"], obj=process).exit_code == 0
        assert given[0]["api.main"] is process
    assert CliRunner().invoke(kobert, ["run"]).exit_code == 0
    assert given[1]["api.main"].returncode is not None


def test_a_wrong_option_leaves_no_process_behind() -> None:
    mark = {"KOBERT_TEST_MARK": uuid.uuid4().hex}
    command = [sys.executable, "-m", "cli.main", "run", "--no-such-option"]
    ended = subprocess.run(command, cwd=ROOT, env={**os.environ, **mark}, capture_output=True, check=False)

    assert ended.returncode == 2
    assert not [process for process in psutil.process_iter() if _has(process, mark)]


def _has(process: psutil.Process, variables: Mapping[str, str]) -> bool:
    try:
        return variables.items() <= process.environ().items()
    except psutil.Error:
        return False


def test_a_program_that_cannot_be_imported_is_a_process_that_ended() -> None:
    process = EarlyProcess("tests.support.no_such_program")
    process.wait()
    process.begin(dict(os.environ))
    assert process.wait() == 1


def test_a_child_begins_with_its_early_process_and_goes_on_with_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.child.FIRST_DELAY_S", 0.01)
    told, again = tmp_path / "told", tmp_path / "again"
    command = [sys.executable, "-c", f"import pathlib, time; pathlib.Path({str(again)!r}).touch(); time.sleep(60)"]
    environment = {**os.environ, "TOLD": str(told), "WORD": json.dumps("말")}

    async def run() -> None:
        child = Child("program", lambda: command, environment)
        child.early = EarlyProcess(PROGRAM)
        keeping = asyncio.create_task(child.keep_running())
        await asyncio.to_thread(wait_until, again.exists, "the second start")
        await child.stop(10)
        await keeping

    asyncio.run(run())
    assert told.exists()
