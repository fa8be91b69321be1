"""How the processes refuse to start: one sentence, and the exit code that says not to try again."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from cli.service import reachable_host
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


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL"),
        # The command itself does not read it: the worker ends.
        ({"THRESHOLDS": "nonsense=0.5"}, "cannot run; its own message above says why"),
    ],
)
def test_the_whole_service_says_that_starting_it_again_would_not_help(
    setting: dict, complaint: str, short_tmp: Path
) -> None:
    places = {"PORT": str(free_port()), "DATA_DIR": str(short_tmp / "data")}
    environment = {name: text for name, text in CLEAN_ENVIRONMENT.items() if name != "REDIS_URL"} | places | setting
    command = [str(Path(sys.executable).parent / "kobert"), "run"]
    ended = subprocess.run(
        command, cwd=short_tmp, env=environment, capture_output=True, text=True, timeout=120, check=False
    )

    assert ended.returncode == EXIT_CONFIG
    assert complaint in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("module", ["api.main", "tests.support.echo"])
@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.1"])
def test_a_host_that_is_not_this_machines_is_one_sentence_about_the_host(
    module: str, host: str, echo_bundle: Path
) -> None:
    settings = {"redis_url": "redis://localhost", "host": host, "worker_metrics_port": free_port()}
    ended = start(module, model=echo_bundle, **settings)

    assert ended.returncode == EXIT_CONFIG
    assert f"cannot listen on HOST={host}" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_port_in_use_is_one_sentence_and_may_be_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = start("api.main", redis_url="redis://localhost", port=port)

    assert ended.returncode not in {0, EXIT_CONFIG}
    assert f"cannot listen on 127.0.0.1 port {port}" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_two_colons_serve_both_families(stack: Stack) -> None:
    port = free_port()
    settings = {"REDIS_URL": stack.redis_url, "PORT": str(port), "HOST": "::", "LOG_FORMAT": "json"}
    with subprocess.Popen([sys.executable, "-m", "api.main"], cwd=ROOT, env=CLEAN_ENVIRONMENT | settings) as process:
        try:
            wait_until(lambda: answers(f"http://127.0.0.1:{port}/health"), "an answer over IPv4")
            assert answers(f"http://[::1]:{port}/health")
        finally:
            process.terminate()


@pytest.mark.parametrize(
    ("host", "shown"), [("::", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::1", "[::1]"), ("a.example", "a.example")]
)
def test_the_url_that_a_start_shows_can_be_opened(host: str, shown: str) -> None:
    assert reachable_host(host) == shown


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
        _, log = process.communicate(timeout=120)
    assert process.returncode == 0, log
    assert any("exit_held_up" in line and "name-lookup" in line for line in log.splitlines()), log


def answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False
