"""A service of the comparison as real processes: counted by part, halted, resumed, and gone when it is stopped."""

import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from bench.peers.contenders import Contender
from bench.peers.service import Service

pytestmark = pytest.mark.integration

# A server that answers every POST, with a child of its own session that drops its environment: both belong to it.
SERVER = """
import http.server, subprocess, sys
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "child"], env={}, start_new_session=True)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "29")
        self.end_headers()
        self.wfile.write(b'[{"classification": "clean"}]\\n'[:29])
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def command(port: int) -> list[str]:
    return [sys.executable, "-c", SERVER, str(port)]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    contender = Contender(
        "made-up", "answers clean", command, parts={"ThreadingHTTPServer": "server", "child": "child"}
    )
    service = Service(contender, "tuned", tmp_path, tmp_path)
    yield service
    service.stop()


def statuses(service: Service) -> set[str]:
    return {process.status() for process in service.processes()}


def test_a_service_is_counted_by_part_halted_and_resumed(service: Service) -> None:
    service.start()
    used = service.usage()
    service.halt()
    halted = statuses(service)
    service.resume()

    assert set(used) == {"server", "child"}
    assert all(part.resident_mb > 1 for part in used.values())
    assert halted == {psutil.STATUS_STOPPED}
    assert psutil.STATUS_STOPPED not in statuses(service)
    assert service.words_alone("글") == ["clean"]


def test_a_halted_service_leaves_no_process_behind(service: Service) -> None:
    service.start()
    service.halt()
    processes = service.processes()

    service.stop()

    assert len(processes) == 2
    _, alive = psutil.wait_procs(processes, timeout=5)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]
    with pytest.raises(httpx.ConnectError):
        service.words_alone("글")


def test_a_service_that_does_not_start_is_named_with_its_log(tmp_path: Path) -> None:
    failing = Contender("broken", "ends at once", lambda _port: [sys.executable, "-c", "raise SystemExit(3)"])
    service = Service(failing, "tuned", tmp_path, tmp_path)

    with pytest.raises(RuntimeError, match=r"broken did not start; see .*broken-tuned\.log"):
        service.start()
    service.stop()
