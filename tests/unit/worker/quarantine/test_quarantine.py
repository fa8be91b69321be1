import time
from pathlib import Path

import pytest

from bundles.format import load_bundle
from tests.support.echo import EchoEngine
from worker.quarantine.child import SuspectText
from worker.quarantine.reader import Quarantine

pytestmark = pytest.mark.integration

CRASHER, KILLER, POISON, HANGER = (
    "이 글에 프로세스가 무너집니다",
    "이 글에 죽습니다",
    "이 글에 넘어집니다",
    "이 글에 멈춥니다",
)


@pytest.fixture
def quarantine(echo_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Quarantine:
    for name, text in (("CRASH", CRASHER), ("KILL", KILLER), ("POISON", POISON), ("HANG", HANGER)):
        monkeypatch.setenv(f"ECHO_{name}", text)
    return Quarantine(load_bundle(echo_bundle), 64, EchoEngine, 1.5)


def suspects(*texts: str) -> dict[int, SuspectText]:
    return {number: SuspectText(text) for number, text in enumerate(texts)}


def never() -> bool:
    return False


def test_the_texts_that_end_a_process_are_found_and_no_other(quarantine: Quarantine) -> None:
    found = quarantine.find_deadly(suspects("가", CRASHER, "나", POISON, KILLER, "다"), never)
    assert found == {1: "ended by SIGSEGV", 4: "ended by SIGKILL"}


def test_a_text_on_which_the_model_hangs_is_found(quarantine: Quarantine) -> None:
    assert quarantine.find_deadly(suspects(HANGER, "가"), never) == {0: "did not return within 1.5 s"}


def test_a_text_that_is_explained_is_read_so(quarantine: Quarantine) -> None:
    explained = {0: SuspectText(CRASHER, is_explained=True), 1: SuspectText("가", is_explained=True)}
    assert quarantine.find_deadly(explained, never) == {0: "ended by SIGSEGV"}


def test_where_no_process_can_be_had_nothing_is_found(echo_bundle: Path) -> None:
    def unknown_elsewhere(bundle: object, threads: int) -> EchoEngine:
        raise AssertionError

    elsewhere = Quarantine(load_bundle(echo_bundle), 64, unknown_elsewhere, 5.0)
    assert elsewhere.find_deadly(suspects("가"), never) == {}


def test_nothing_is_said_once_nobody_waits(quarantine: Quarantine) -> None:
    until = time.monotonic() + 0.5
    assert quarantine.find_deadly(suspects(HANGER), lambda: time.monotonic() > until) is None


def test_no_process_is_left_behind(quarantine: Quarantine) -> None:
    quarantine.find_deadly(suspects("가", CRASHER, "나"), never)
    assert quarantine._child is None
