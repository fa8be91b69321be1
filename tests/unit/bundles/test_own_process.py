"""Work in a process of its own: its reports, its result, its errors, its death."""

import sys
from pathlib import Path

import msgspec
import pytest

from bundles.own_process import Notice, Progress, run_process
from shared.errors import ModelSourceError, StartupError

pytestmark = pytest.mark.integration

PROCESS = """
import os, sys
import msgspec
from shared.errors import ModelSourceError
from bundles.own_process import Notice, Progress, answer_request

class Request(msgspec.Struct):
    text: str

def work(request, on_report):
    on_report(Progress("half way", 0.5))
    print("a library that talks")
    on_report(Notice(request.text))
    if request.text == "refuse":
        raise ModelSourceError("this cannot be read")
    if request.text == "crash":
        raise ZeroDivisionError
    if request.text == "die":
        os.kill(os.getpid(), 9)
    return {"echo": request.text}

if __name__ == "__main__":
    sys.exit(answer_request(Request, work))
"""


class Request(msgspec.Struct):
    text: str


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "a_process_of_its_own.py").write_text(PROCESS)
    root = Path(__file__).resolve().parents[3]
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{root}")
    return "a_process_of_its_own"


def test_reports_arrive_in_order_and_the_result_at_the_end(module: str) -> None:
    reports: list[Progress | Notice] = []
    assert run_process(module, Request("안녕"), reports.append, work="the download of a/b") == {"echo": "안녕"}
    assert reports == [Progress("half way", 0.5), Notice("안녕")]


def test_an_error_of_ours_keeps_its_kind_and_its_sentence(module: str) -> None:
    with pytest.raises(ModelSourceError, match="this cannot be read"):
        run_process(module, Request("refuse"), lambda _: None, work="the download of a/b")


def test_a_crash_is_told_from_a_refusal(module: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(StartupError, match="the download of a/b failed with exit code 1"):
        run_process(module, Request("crash"), lambda _: None, work="the download of a/b")
    assert "ZeroDivisionError" in capfd.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_killed_process_is_told_as_such(module: str) -> None:
    with pytest.raises(StartupError, match="the download of a/b was killed, most likely because memory ran out"):
        run_process(module, Request("die"), lambda _: None, work="the download of a/b")
