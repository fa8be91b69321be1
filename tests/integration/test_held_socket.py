"""The API's listening socket, held by a supervisor: real kills, and clients that open a connection for each text."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import httpx
import pytest

from shared.inherited import VARIABLE, inherited_listeners
from shared.listening import open_listeners
from tests.support.run import KobertRun
from tests.support.stack import CLEAN_ENVIRONMENT, ROOT, Part, Stack, wait_until

pytestmark = pytest.mark.integration

EVERY_S = 0.02


class Clients:
    """Sends a text every few hundredths of a second, each on a connection of its own, until it is left."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._goes_on = True
        self.statuses: list[int] = []
        self.errors: list[str] = []
        self._thread = threading.Thread(target=self._send_all)

    def __enter__(self) -> Self:
        self._thread.start()
        wait_until(lambda: len(self.statuses) > 5, "the first answers")
        return self

    def __exit__(self, *_: object) -> None:
        answered = len(self.statuses)
        wait_until(lambda: len(self.statuses) > answered + 5, "more answers")
        self._goes_on = False
        self._thread.join()

    def _send_all(self) -> None:
        calls: list[threading.Thread] = []
        while self._goes_on:
            calls.append(threading.Thread(target=self._send, args=(f"글 {len(calls)}",)))
            calls[-1].start()
            time.sleep(EVERY_S)
        for call in calls:
            call.join()

    def _send(self, text: str) -> None:
        try:
            self.statuses.append(httpx.post(f"{self._url}/predict", json={"text": text}, timeout=60).status_code)
        except httpx.HTTPError as error:
            self.errors.append(type(error).__name__)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KobertRun]:
    with KobertRun(tmp_path_factory.mktemp("run")) as run:
        yield run


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nobody_is_refused_while_kobert_run_starts_the_api_again(run: KobertRun, number: signal.Signals) -> None:
    """Of those that the killed process had, no one can answer the last few."""
    before = run.api_now()
    with Clients(run.url) as clients:
        os.kill(before, number)
        wait_until(lambda: run.api_now() not in {0, before}, "the new API")

    assert "ConnectError" not in clients.errors
    assert set(clients.statuses) == {200}


def test_two_apis_on_one_socket_are_restarted_in_turn_and_nobody_is_refused(stack: Stack) -> None:
    (held,) = open_listeners("127.0.0.1", 0)
    held.listen()
    port = held.getsockname()[1]
    command = [sys.executable, "-P", "-m", "api.main"]
    apis = [Part(command, {**stack.api.environment}, stack.folder / f"held-{at}.log", ROOT) for at in range(2)]
    with held:
        try:
            for api in apis:
                api.listeners = [held]
                api.start()
            with Clients(f"http://127.0.0.1:{port}") as clients:
                for api in apis:
                    assert api.kill(signal.SIGTERM) == 0
                    api.start()
                    time.sleep(0.5)
        finally:
            for api in apis:
                api.stop()
    assert "ConnectError" not in clients.errors
    assert set(clients.statuses) == {200}


def test_a_request_on_its_way_is_answered_by_an_api_that_is_told_to_end(stack: Stack) -> None:
    """Its connection was taken before the signal came."""
    api = stack.add_api()
    part = stack.more_apis[-1]
    with socket.create_connection(("127.0.0.1", int(api.rpartition(":")[2])), timeout=30) as connection:
        time.sleep(0.2)
        assert part.process is not None
        part.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        received = b""
        while piece := connection.recv(65536):
            received += piece
    assert received.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close" in received
    assert part.process.wait(60) == 0


SYSTEMD = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()));"
    "os.execv(sys.executable, [sys.executable, '-P', '-m', 'api.main'])"
)


def test_the_api_takes_the_socket_that_systemd_passes(stack: Stack) -> None:
    (held,) = open_listeners("127.0.0.1", 0)
    port = held.getsockname()[1]
    os.set_inheritable(held.fileno(), True)
    with (
        held,
        subprocess.Popen(
            [sys.executable, "-c", SYSTEMD, str(held.fileno())],
            env=stack.api.environment,
            cwd=ROOT,
            pass_fds=[held.fileno()],
        ) as process,
    ):
        try:
            wait_until(lambda: _answers(port), "an answer")
        finally:
            process.terminate()
    assert process.returncode == 0


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200
    except httpx.TransportError:
        return False


def test_what_was_passed_to_another_process_is_not_taken() -> None:
    assert inherited_listeners({"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid() + 1)}, os.getpid()) == []


def test_a_descriptor_that_is_no_socket_is_one_sentence(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file:
        ended = subprocess.run(
            [sys.executable, "-P", "-m", "api.main"],
            env={**CLEAN_ENVIRONMENT, "REDIS_URL": "redis://localhost", VARIABLE: str(file.fileno())},
            cwd=ROOT,
            pass_fds=[file.fileno()],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert ended.returncode == 78
    assert "is no socket" in ended.stderr
    assert "Traceback" not in ended.stderr
