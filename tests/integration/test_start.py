"""How the processes refuse to start: one sentence, and the exit code that says not to try again."""

import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from shared.errors import EXIT_CONFIG
from tests.support.stack import CLEAN_ENVIRONMENT, ROOT, Stack, free_port, wait_until

pytestmark = pytest.mark.integration


def start(module: str, **settings: object) -> subprocess.CompletedProcess[str]:
    environment = {**CLEAN_ENVIRONMENT, **{name.upper(): str(value) for name, value in settings.items()}}
    return subprocess.run(
        [sys.executable, "-m", module], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("module", ["api.main", "worker.main"])
@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({}, "REDIS_URL is not set"),
        ({"redis_url": "localhost:6379"}, "is not a Redis address"),
        ({"redis_url": "redis://localhost", "log_level": "loud"}, "LOG_LEVEL"),
    ],
)
def test_a_setting_that_cannot_work_is_one_sentence(module: str, settings: dict, complaint: str) -> None:
    ended = start(module, **settings)

    assert ended.returncode == EXIT_CONFIG
    assert complaint in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_worker_whose_model_is_missing_or_broken_says_so(tmp_path: Path, echo_bundle: Path) -> None:
    missing = start("worker.main", redis_url="redis://localhost", model=tmp_path / "nothing")
    no_graph = start("worker.main", redis_url="redis://localhost", model=echo_bundle)
    unknown_label = start("worker.main", redis_url="redis://localhost", thresholds="nonsense=0.5")
    one_level = start("worker.main", redis_url="redis://localhost", model=echo_bundle, strictness="strict")

    for ended, complaint in (
        (missing, "nothing"),
        (no_graph, "cannot load"),
        (unknown_label, "nonsense"),
        (one_level, "STRICTNESS=strict: the model echo has only the strictness standard, not strict"),
    ):
        assert ended.returncode == EXIT_CONFIG
        assert complaint in ended.stderr
        assert "Traceback" not in ended.stderr


HANGING = """
import threading, time
threading.Thread(target=time.sleep, args=(60,), name="name-lookup").start()
from api.main import main
raise SystemExit(main())
"""


def test_a_thread_that_hangs_does_not_hold_up_the_end_of_the_api(stack: Stack) -> None:
    port = free_port()
    settings = {"REDIS_URL": stack.redis_url, "PORT": str(port), "SHUTDOWN_TIMEOUT_S": "5", "LOG_FORMAT": "json"}
    with subprocess.Popen(
        [sys.executable, "-c", HANGING], cwd=ROOT, env=CLEAN_ENVIRONMENT | settings, stderr=subprocess.PIPE, text=True
    ) as process:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/ready"), "the API")
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=20)
    assert process.returncode == 0, log
    assert any("exit_held_up" in line and "name-lookup" in line for line in log.splitlines()), log


def answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False
