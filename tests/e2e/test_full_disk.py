"""`kobert run` on a disk of its own that a test fills up and empties again."""

import contextlib
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.jobs import finish, result_lines, submit_texts
from tests.support.stack import CLEAN_ENVIRONMENT, free_port, wait_until

pytestmark = pytest.mark.e2e

KOBERT = Path(sys.executable).parent / "kobert"
DISK = "size=100m"
TEXTS = [f"디스크가 꽉 차도 {number}" for number in range(20)]


class RunOnSmallDisk:
    """The command in a mount namespace, where `DATA_DIR` is a disk of 100 MB in memory."""

    def __init__(self, folder: Path) -> None:
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        self.output = folder / "output.txt"
        self.data_dir = folder / "data"
        self.data_dir.mkdir()
        settings = {"PORT": str(port), "DATA_DIR": str(self.data_dir), "LOG_FORMAT": "json"}
        script = f'mount -t tmpfs -o {DISK} none "$DATA_DIR" && exec "$0" run'
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                ["unshare", "-rm", "sh", "-c", script, KOBERT],
                env=CLEAN_ENVIRONMENT | settings,
                cwd=folder,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def disk(self) -> Path:
        """The disk as the command sees it."""
        return Path(f"/proc/{self.process.pid}/root") / self.data_dir.relative_to("/")

    def fill(self) -> None:
        with contextlib.suppress(OSError), (self.disk / "filler").open("wb", buffering=0) as filler:
            while filler.write(b"x" * (1 << 20)):
                pass
        with contextlib.suppress(OSError), (self.disk / "filler").open("ab", buffering=0) as filler:
            while filler.write(b"x" * 512):
                pass

    def make_room(self) -> None:
        (self.disk / "filler").unlink()

    def text(self) -> str:
        return self.output.read_text()


@pytest.fixture
def run(short_tmp: Path) -> Iterator[RunOnSmallDisk]:
    probe = f'mount -t tmpfs -o {DISK} none "$0"'
    command = ["unshare", "-rm", "sh", "-c", probe, str(short_tmp)]
    if shutil.which("unshare") is None or subprocess.run(command, check=False).returncode:
        pytest.skip("this system gives no mount namespace, so there is no small disk to fill")
    running = RunOnSmallDisk(short_tmp)
    try:
        wait_until(
            lambda: "Ready: " in running.text() or running.process.poll() is not None, "the line that says Ready"
        )
        assert running.process.poll() is None, running.text()
        yield running
    finally:
        running.process.send_signal(signal.SIGTERM)
        running.process.wait(120)
        sys.stdout.write(running.text())


def predict(run: RunOnSmallDisk) -> httpx.Response:
    return httpx.post(f"{run.url}/predict", json={"text": "되나요?"}, timeout=60)


def send_job(run: RunOnSmallDisk) -> httpx.Response:
    return httpx.post(f"{run.url}/jobs", json={"texts": TEXTS}, timeout=60)


def test_with_a_full_disk_texts_are_answered_jobs_are_refused_and_deleted_and_it_recovers_alone(
    run: RunOnSmallDisk,
) -> None:
    kept, deleted = submit_texts(run, TEXTS), submit_texts(run, TEXTS)
    finish(run, kept)
    finish(run, deleted)

    run.fill()
    wait_until(lambda: "  store    cannot write to " in run.text(), "the note of the full disk")

    # API and worker look once a second whether the store takes writes.
    wait_until(lambda: predict(run).status_code == 200, "an answer")
    for _ in range(5):
        assert predict(run).status_code == 200
    refused = send_job(run)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "disk_full"), refused.text
    assert "DATA_DIR" in refused.json()["error"]["message"]
    assert httpx.delete(f"{run.url}/jobs/{deleted['id']}").status_code == 200
    assert len(result_lines(run, kept)) == len(TEXTS)

    def ready_warns() -> bool:
        answer = httpx.get(f"{run.url}/ready")
        return answer.status_code == 200 and "disk is full" in str(answer.json().get("store_warnings"))

    wait_until(ready_warns, "the warning in /ready")
    run.make_room()
    wait_until(lambda: send_job(run).status_code == 202, "a job accepted again")
    next(child for child in psutil.Process(run.process.pid).children() if child.name() == "valkey-server").kill()
    wait_until(lambda: "store was ended by SIGKILL" in run.text(), "the notice of the restart")
    wait_until(lambda: httpx.get(f"{run.url}/jobs/{kept['id']}").status_code == 200, "the store's return")

    assert [line["text"] for line in result_lines(run, kept)] == TEXTS
    assert httpx.get(f"{run.url}/jobs/{deleted['id']}").status_code == 404
    assert run.text().count("  store    cannot write to ") == 1
    assert "Traceback" not in run.text()
