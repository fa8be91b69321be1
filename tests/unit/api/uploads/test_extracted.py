"""The process that reads a spreadsheet ends with the client who sent it."""

import subprocess
import sys
import threading
from contextvars import copy_context

import pytest

from api.http.caller import SCOPE_KEY, Presence, note_caller
from api.http.file_turn import FileTurn
from api.uploads import confined, extracted
from api.uploads.extracted import ExtractedTable
from api.uploads.options import UploadOptions
from shared.errors import RequestError

pytestmark = pytest.mark.integration

LIMITS = (1 << 20, 1_000)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The processes that were started; each works on for a minute and says nothing."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(*_arguments: str, stdin: object) -> subprocess.Popen[bytes]:
        processes.append(
            subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"], stdout=subprocess.PIPE)
        )
        return processes[-1]

    monkeypatch.setattr(confined, "start", start)
    monkeypatch.setattr(extracted, "require_library", lambda _kind: None)
    monkeypatch.setattr(extracted, "_TURN", FileTurn())
    return processes


def read_for(presence: Presence, errors: list[BaseException]) -> threading.Thread:
    def read() -> None:
        note_caller({"type": "http", SCOPE_KEY: presence}, "owner")
        try:
            ExtractedTable("xlsx", iter([b"PK"]), UploadOptions(), LIMITS)
        except RequestError as error:
            errors.append(error)

    thread = threading.Thread(target=copy_context().run, args=(read,), daemon=True)
    thread.start()
    return thread


def test_a_file_whose_client_has_left_is_read_no_further_and_the_next_has_its_turn(
    started: list[subprocess.Popen[bytes]],
) -> None:
    first, second = Presence(), Presence()
    errors: list[BaseException] = []
    reader = read_for(first, errors)
    while not first._callbacks:  # it is being read
        reader.join(0.01)
    waiting = read_for(second, errors)
    second.lose()

    first.lose()
    for thread in (reader, waiting):
        thread.join(30)
        assert not thread.is_alive()

    assert len(errors) == 2
    assert [process.poll() is not None for process in started] == [True] * len(started)
    assert not first._callbacks
