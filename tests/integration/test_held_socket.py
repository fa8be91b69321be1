"""The API's listening socket, held by a supervisor: real kills, and clients that open a connection for each text."""

import fcntl
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import httpx
import pytest

from shared.inherited import VARIABLE, inherited_listeners
from shared.listening import open_listeners
from tests.support.jobs import submit_texts
from tests.support.run import KobertRun
from tests.support.stack import CLEAN_ENVIRONMENT, ROOT, Part, Stack, wait_until

pytestmark = pytest.mark.integration

EVERY_S = 0.02
JSON = {"Content-Type": "application/json"}


class Senders(ABC):
    """Threads that send from `__enter__` to `__exit__`, with at least a few answers in between and after."""

    def __init__(self, count: int) -> None:
        self._goes_on = True
        self.statuses: list[int] = []
        self.errors: list[str] = []
        self._threads = [threading.Thread(target=self._send_all) for _ in range(count)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        wait_until(lambda: len(self.statuses) > 5, "the first answers")
        return self

    def __exit__(self, *_: object) -> None:
        answered = len(self.statuses)
        wait_until(lambda: len(self.statuses) > answered + 5, "more answers")
        self._goes_on = False
        for thread in self._threads:
            thread.join()

    @abstractmethod
    def _send_all(self) -> None:
        """Send until `_goes_on` is false, and note each status and error."""


class Clients(Senders):
    """Sends a text every few hundredths of a second, each on a connection of its own, until it is left.

    `pause_s` lies between the opening of a connection and its request.
    """

    def __init__(self, url: str, pause_s: float = 0) -> None:
        super().__init__(1)
        self._url = url
        self._pause_s = pause_s
        self.refusals: list[str] = []

    def _send_all(self) -> None:
        calls: list[threading.Thread] = []
        while self._goes_on:
            calls.append(threading.Thread(target=self._send, args=(f"글 {len(calls)}",)))
            calls[-1].start()
            time.sleep(EVERY_S)
        for call in calls:
            call.join()

    def _send(self, text: str) -> None:
        connection = http.client.HTTPConnection(self._url.removeprefix("http://"), timeout=60)
        try:
            connection.connect()
        except OSError as error:
            self.refusals.append(repr(error))
            return
        time.sleep(self._pause_s)
        try:
            connection.request("POST", "/predict", json.dumps({"text": text}), JSON)
            self.statuses.append(connection.getresponse().status)
        except (OSError, http.client.HTTPException) as error:
            self.errors.append(repr(error))
        finally:
            connection.close()


class KeptConnections(Senders):
    """Clients that send one text after the other on connections that they keep until the server says otherwise.

    They do not look whether a connection was closed before they use it again: a server that closes it is found out.
    """

    def __init__(self, port: int, count: int = 8) -> None:
        super().__init__(count)
        self._port = port

    def _send_all(self) -> None:
        while self._goes_on:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
            try:
                while self._goes_on and self._is_kept(connection):
                    time.sleep(EVERY_S)
            except (OSError, http.client.HTTPException) as error:
                self.errors.append(repr(error))
            finally:
                connection.close()

    def _is_kept(self, connection: http.client.HTTPConnection) -> bool:
        connection.request("POST", "/predict", json.dumps({"text": "글"}), JSON)
        answer = connection.getresponse()
        answer.read()
        self.statuses.append(answer.status)
        return not answer.will_close


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

    assert clients.refusals == []
    assert set(clients.statuses) == {200}


@contextmanager
def two_apis(stack: Stack) -> Iterator[tuple[int, list[Part]]]:
    """The port of a socket that this process holds, and two APIs that share it."""
    (held,) = open_listeners("127.0.0.1", 0)
    held.listen()
    port = held.getsockname()[1]
    command = [sys.executable, "-P", "-m", "api.main"]
    apis = [Part(command, stack.api.environment, stack.folder / f"held-{port}-{at}.log", ROOT) for at in range(2)]
    with held:
        try:
            for api in apis:
                api.listeners = [held]
                api.start()
            wait_until(lambda: all(has_begun(api) for api in apis), "the start of both")
            yield port, apis
        finally:
            for api in apis:
                api.stop()


def has_begun(api: Part) -> bool:
    return "api_ready" in api.log.read_text()


def roll(apis: list[Part]) -> None:
    """Restart each in turn, as a supervisor that waits until the new one is ready."""
    for api in apis:
        starts = api.log.read_text().count("api_ready")
        assert api.kill(signal.SIGTERM) == 0
        api.start()
        wait_until(lambda: api.log.read_text().count("api_ready") > starts, "the new start")  # noqa: B023  in its round


@pytest.mark.parametrize("pause_s", [0, 0.2])
def test_two_apis_on_one_socket_are_restarted_in_turn_and_every_text_is_answered(stack: Stack, pause_s: float) -> None:
    """The clients send at once, or a little after their connection was taken."""
    with two_apis(stack) as (port, apis), Clients(f"http://127.0.0.1:{port}", pause_s) as clients:
        roll(apis)
    assert (clients.refusals, clients.errors) == ([], [])
    assert set(clients.statuses) == {200}


def test_two_apis_on_one_socket_are_restarted_in_turn_and_connections_in_use_are_told(stack: Stack) -> None:
    """Their last answer says `connection: close`; without it the next request would meet a closed connection."""
    with two_apis(stack) as (port, apis), KeptConnections(port) as clients:
        roll(apis)
    assert clients.errors == []
    assert set(clients.statuses) == {200}


def test_an_api_that_starts_leaves_a_shared_socket_non_blocking() -> None:
    """Otherwise another API that takes connections from it stands still in `accept` until the next one comes."""
    (held,) = open_listeners("127.0.0.1", 0)
    with held:
        inherited = inherited_listeners({VARIABLE: str(os.dup(held.fileno()))}, os.getpid())
        copies = [listener.dup() for listener in inherited]
        assert fcntl.fcntl(held.fileno(), fcntl.F_GETFL) & os.O_NONBLOCK
        for listener in (*inherited, *copies):
            listener.close()


def test_who_follows_a_job_does_not_keep_an_api_that_is_told_to_end(stack: Stack) -> None:
    """The stream ends whole, without the event of the job's end; `?wait=` gives the job as it is."""
    url = stack.add_api()
    part = stack.more_apis[-1]
    job = submit_texts(stack, [f"글 {number}" for number in range(20_000)])["id"]
    with httpx.stream("GET", f"{url}/jobs/{job}/events", timeout=60) as stream:
        pieces = stream.iter_text()
        received = next(pieces)
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(httpx.get, f"{url}/jobs/{job}?wait=60", timeout=90)
            time.sleep(0.5)  # it waits by now; if not, it is answered all the same
            assert part.process is not None
            part.process.send_signal(signal.SIGTERM)
            received += "".join(pieces)
            assert waiting.result().json()["status"] == "in_progress"
    assert "event: completed" not in received
    assert part.process.wait(60) == 0
    httpx.post(f"{stack.url}/jobs/{job}/cancel", timeout=60)


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
