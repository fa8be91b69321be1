"""`kobert run` as a user starts it: the embedded model, the embedded store, real signals."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.embedded_store import file_of, fill
from tests.support.run import KobertRun
from tests.support.stack import CLEAN_ENVIRONMENT, Stack, free_port, wait_until

pytestmark = pytest.mark.e2e

KOBERT = Path(sys.executable).parent / "kobert"
END_S = 10


class Run:
    """One `kobert run` and the processes it started."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.port = int(str(settings.pop("port", free_port())))
        self.url = f"http://127.0.0.1:{self.port}"
        self.output = folder / f"output-{self.port}.txt"
        self.family: list[psutil.Process] = []
        environment = {
            **CLEAN_ENVIRONMENT,
            "PORT": str(self.port),
            "DATA_DIR": str(folder / "data"),
            **{name.upper(): str(value) for name, value in settings.items()},
        }
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [KOBERT, "run"], env=environment, cwd=folder, stdout=output, stderr=subprocess.STDOUT
            )

    def wait_ready(self) -> "Run":
        wait_until(lambda: "Ready: " in self.text() or self.process.poll() is not None, "the line that says Ready")
        assert self.process.poll() is None, self.text()
        self.family = [psutil.Process(self.process.pid), *self.children()]
        return self

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def child(self, module: str) -> psutil.Process:
        return next(child for child in self.children() if module in child.cmdline())

    def text(self) -> str:
        return self.output.read_text()

    def predict(self, text: str) -> dict:
        answer = httpx.post(f"{self.url}/predict", json={"text": text}, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(END_S)
        for process in self.family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def assert_nothing_is_left(self) -> None:
        gone, alive = psutil.wait_procs(self.family, timeout=END_S)
        assert not alive
        assert len(gone) >= 4  # the command itself, store, worker, api
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", self.port)) != 0


@pytest.fixture
def run(short_tmp: Path) -> Iterator[Run]:
    running = Run(short_tmp)
    yield running.wait_ready()
    running.end()


@pytest.fixture(scope="module")
def shared_run() -> Iterator[Run]:
    """For the tests that end none of its processes."""
    with tempfile.TemporaryDirectory(prefix="kt-") as folder:
        running = Run(Path(folder))
        yield running.wait_ready()
        running.end()


def test_the_sample_of_the_readme_is_clean_and_an_outright_curse_is_a_curse(shared_run: Run) -> None:
    assert shared_run.predict("이 영화 정말 재미있었어요!")["classification"] == "clean"
    assert shared_run.predict("야 이 씨발 새끼야 꺼져")["classification"] == "curse"
    assert httpx.get(shared_run.url).json() == {"message": "Text Classification API (KoBERT)"}
    output = shared_run.text()
    assert f"Ready: {shared_run.url}" in output
    assert f"curl -X POST {shared_run.url}/predict" in output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_every_process_and_leaves_no_port(run: Run, number: signal.Signals) -> None:
    run.process.send_signal(number)

    assert run.process.wait(END_S) == 0
    run.assert_nothing_is_left()


def test_an_api_with_a_request_that_goes_on_ends_by_itself_before_it_would_be_killed(run: Run) -> None:
    with socket.create_connection(("127.0.0.1", run.port)) as upload:
        upload.sendall(b"POST /jobs?format=txt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf of it")
        run.predict("올리는 중")
        run.process.terminate()
        assert run.process.wait(2 * END_S) == 0
    assert "stopping" in run.text()
    assert "killing it" not in run.text()


def test_even_a_killed_command_leaves_no_process_behind(run: Run) -> None:
    run.process.kill()
    run.process.wait(END_S)

    run.assert_nothing_is_left()


def test_a_worker_that_dies_is_started_again_and_answers(run: Run) -> None:
    first = run.child("worker.main")
    first.kill()

    wait_until(lambda: "worker 1 was ended by SIGKILL; starting it again" in run.text(), "the notice of the restart")
    assert run.predict("다시 살아났나요?")["classification"] == "clean"
    assert run.child("worker.main").pid != first.pid
    run.family += run.children()


def test_a_worker_that_dies_is_known_to_be_dead_long_before_its_heartbeat_runs_out(short_tmp: Path) -> None:
    """What it had waits for that."""
    with KobertRun(short_tmp, workers=2, heartbeat_ttl_s=300) as run:

        def known() -> str:
            return " ".join(worker["id"] for worker in httpx.get(f"{run.url}/info").json()["workers"])

        dead = f"-{run.workers[0].pid}-"
        wait_until(lambda: len(known().split()) == 2, "both workers")
        assert dead in known()
        os.kill(run.workers[0].pid, signal.SIGKILL)
        wait_until(lambda: dead not in known(), "the notice of the death")


def test_texts_for_an_only_worker_that_dies_wait_until_it_is_back(short_tmp: Path) -> None:
    with KobertRun(short_tmp, workers=1, heartbeat_ttl_s=300) as run:
        wait_until(lambda: httpx.get(f"{run.url}/ready").is_success, "a worker")
        psutil.Process(run.workers[0].pid).kill()
        wait_until(lambda: not psutil.pid_exists(run.workers[0].pid), "the worker's end")
        time.sleep(1.0)  # what the command does on a death is done, and the next worker is not there yet
        answer = httpx.post(f"{run.url}/predict", json={"text": "안녕하세요"})
        assert answer.status_code == 200, answer.text


def test_a_store_that_dies_is_started_again_with_its_data(run: Run) -> None:
    next(child for child in run.children() if child.name() == "valkey-server").kill()

    wait_until(lambda: "store was ended by SIGKILL; starting it again" in run.text(), "the notice of the restart")

    def answers() -> bool:
        return httpx.post(f"{run.url}/predict", json={"text": "돌아왔나요?"}, timeout=60).status_code == 200

    wait_until(answers, "an answer after the store's return")
    run.family += run.children()


def refused(folder: Path, **settings: object) -> str:
    """The output of a start that must fail."""
    run = Run(folder, **settings)
    try:
        assert run.process.wait(60) != 0
        return run.text()
    finally:
        run.end()


def test_a_port_in_use_is_one_clear_sentence(short_tmp: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        output = refused(short_tmp, port=port)

    assert f"cannot listen on 127.0.0.1 port {port}" in output
    assert f"PORT={port + 1}" in output
    assert "Traceback" not in output


def test_a_missing_model_is_one_clear_sentence(short_tmp: Path) -> None:
    output = refused(short_tmp, model="./no-such-model")
    assert "./no-such-model" in output
    assert "Traceback" not in output


def test_a_data_directory_that_cannot_be_written_is_one_clear_sentence(short_tmp: Path) -> None:
    (short_tmp / "file").write_text("in the way")
    output = refused(short_tmp, data_dir=short_tmp / "file")
    assert "a file is in its way; choose another with DATA_DIR" in output
    assert "Traceback" not in output


def test_a_setting_that_cannot_work_is_named(short_tmp: Path) -> None:
    output = refused(short_tmp, workers="many")
    assert "WORKERS" in output
    assert "Traceback" not in output


def test_a_redis_that_does_not_answer_is_named_without_its_password(short_tmp: Path) -> None:
    output = refused(short_tmp, redis_url=f"redis://:secret@127.0.0.1:{free_port()}/0")
    assert "does not answer" in output
    assert "secret" not in output
    assert "Traceback" not in output


def test_a_second_start_on_the_same_data_is_refused(shared_run: Run) -> None:
    output = refused(shared_run.output.parent)
    assert "another kobert uses the data directory" in output


def test_what_the_store_writes_is_for_its_user_alone(shared_run: Run) -> None:
    folder = shared_run.output.parent / "data"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert not [path for path in (folder / "store").rglob("*") if path.stat().st_mode & 0o077]


def test_after_a_power_cut_the_service_starts_and_says_what_was_mended(short_tmp: Path) -> None:
    commands = file_of(fill(short_tmp / "data"), "incr")
    with commands.open("ab") as file:
        file.write(b"\0" * 4_096)
    run = Run(short_tmp)
    try:
        run.wait_ready()
        assert "ended in 4,096 zeros" in run.text()
    finally:
        run.end()


def test_damaged_data_is_one_clear_sentence_at_once(short_tmp: Path) -> None:
    commands = file_of(fill(short_tmp / "data"), "incr")
    commands.write_bytes(commands.read_bytes()[:500] + b"\xff" * 100 + commands.read_bytes()[600:])

    output = refused(short_tmp)

    assert f"{commands} is damaged at byte" in output
    assert "starting it again" not in output
    assert "Traceback" not in output


def test_with_redis_url_set_that_server_is_used_and_none_is_started(short_tmp: Path) -> None:
    server = Stack(short_tmp, "default")
    server.start_store()
    try:
        run = Run(short_tmp, redis_url=server.redis_url).wait_ready()
        try:
            assert run.predict("남의 서버에서도 되나요?")["classification"] == "clean"
            assert not [child for child in run.children() if child.name() == "valkey-server"]
            with server.redis() as redis:
                assert redis.zcard("kobert:workers") == 1
        finally:
            run.end()
    finally:
        server.stop()


def test_a_start_from_a_folder_with_modules_of_our_names_still_runs_ours(short_tmp: Path) -> None:
    for name in ("api", "worker", "shared"):
        (short_tmp / f"{name}.py").write_text("raise RuntimeError('the wrong module')")
    run = Run(short_tmp)
    try:
        run.wait_ready()
        assert "the wrong module" not in run.text()
    finally:
        run.end()


def test_settings_of_an_env_file_hold_where_the_environment_has_none(short_tmp: Path) -> None:
    (short_tmp / ".env").write_bytes(
        "\ufeffAPI_KEYS=from-the-file,another\n# a comment\nMODEL=sentiment\nPORT=1\n".encode()
    )
    run = Run(short_tmp, model="default")
    try:
        run.wait_ready()
        assert httpx.post(f"{run.url}/predict", json={"text": "안녕"}).status_code == 401
        shown = run.text().partition("Try:\n")[2].splitlines()[0]
        with_key = {**CLEAN_ENVIRONMENT, "KOBERT_API_KEY": "another"}
        tried = subprocess.run(["bash", "-c", shown], env=with_key, capture_output=True, check=True)
        assert json.loads(tried.stdout)["classification"] == "clean"
        assert "from-the-file" not in run.text()
    finally:
        run.end()
